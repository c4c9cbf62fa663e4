/** Sizes in bytes of a TIFF variant: header, entry count of a directory, and one directory entry. */
interface Layout {
  readonly header: number;
  readonly count: number;
  readonly entry: number;
}
const CLASSIC: Layout = { header: 8, count: 2, entry: 12 };
const BIG: Layout = { header: 16, count: 8, entry: 20 };

/** Entries of a TIFF directory: offset of the first one in bytes, their number, and the size of each in bytes. */
export interface TiffDirectory {
  readonly start: number;
  readonly count: number;
  readonly size: number;
  /** BigTIFF, with counts and offsets of 8 bytes. */
  readonly isBig: boolean;
  /** Little-endian byte order. */
  readonly isLittle: boolean;
}

/** Whether a file, given as latin1, starts with the signature of TIFF or BigTIFF in either byte order. */
export function hasTiffSignature(head: string): boolean {
  return /^(?:II[*+]\0|MM\0[*+])/.test(head);
}

/**
 * First directory of a file with a TIFF signature; undefined unless it is within the file. libvips detects TIFF by
 * opening the file, not by its signature, and would try its other loaders on a file without a directory.
 */
export function tiffDirectory(bytes: Uint8Array): TiffDirectory | undefined {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const isLittle = bytes[0] === 0x49;
  const isBig = bytes[isLittle ? 2 : 3] === 0x2b;
  const { header, count, entry } = isBig ? BIG : CLASSIC;
  if (view.byteLength < header) return undefined;
  // BigTIFF: offset size 8, then a constant zero.
  if (isBig && (view.getUint16(4, isLittle) !== 8 || view.getUint16(6, isLittle) !== 0)) return undefined;
  const offset = isBig ? Number(view.getBigUint64(8, isLittle)) : view.getUint32(4, isLittle);
  if (offset < header || offset + count > view.byteLength) return undefined;
  const entries = isBig ? Number(view.getBigUint64(offset, isLittle)) : view.getUint16(offset, isLittle);
  const isWithin = entries > 0 && offset + count + entries * entry <= view.byteLength;
  return isWithin ? { start: offset + count, count: entries, size: entry, isBig, isLittle } : undefined;
}
