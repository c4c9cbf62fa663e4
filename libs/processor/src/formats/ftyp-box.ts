/** The first box of an ISO base media file (ISO/IEC 14496-12, section 4.3). Brands have 4 characters each. */
export interface FtypBox {
  readonly majorBrand: string;
  readonly compatibleBrands: readonly string[];
}

/** Size in bytes of a box without compatible brands: size, type, major brand and minor version. */
const MIN_SIZE = 16;
/** Maximum size in bytes that libvips accepts in HEIF files; also the number of bytes of a file to examine. */
export const MAX_FTYP_SIZE = 2048;

/** Whether a file, given as latin1, has the type of an ISO base media file. The box itself is not validated. */
export function hasFtyp(head: string): boolean {
  return head.startsWith('ftyp', 4);
}

/**
 * Parses the `ftyp` box at the start of a file, given as latin1. Undefined unless its size is a multiple of 4 from 16
 * to 2048 bytes and within the file; the special sizes 0 (up to the end of the file) and 1 (64-bit size) are rejected.
 */
export function parseFtypBox(head: string): FtypBox | undefined {
  if (!hasFtyp(head)) return undefined;
  const size = Buffer.from(head.slice(0, 4), 'latin1').readUInt32BE();
  if (size < MIN_SIZE || size > MAX_FTYP_SIZE || size % 4 !== 0 || size > head.length) return undefined;
  return { majorBrand: head.slice(8, 12), compatibleBrands: head.slice(16, size).match(/[\s\S]{4}/g) ?? [] };
}
