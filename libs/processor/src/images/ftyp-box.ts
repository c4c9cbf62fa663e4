/** The first box of an ISO base media file (ISO/IEC 14496-12, section 4.3). Brands have 4 characters each. */
export interface FtypBox {
  readonly majorBrand: string;
  readonly compatibleBrands: readonly string[];
}

/** Size, type, major brand and minor version: a box without compatible brands, in bytes. */
const MIN_SIZE = 16;
/** libvips takes no larger box for a HEIF file's. Also how many bytes of a file have to be looked at. */
export const MAX_FTYP_SIZE = 2048;

/** Whether a file, given as latin1, claims to be an ISO base media file. Its box may be damaged, or no box at all. */
export function hasFtyp(head: string): boolean {
  return head.startsWith('ftyp', 4);
}

/**
 * Parses the `ftyp` box at the start of a file, given as latin1. Undefined unless its size is a multiple of 4 from
 * 16 to 2048 bytes and within the file: sizes 0 (up to the end of the file) and 1 (a 64-bit size follows) are refused.
 */
export function parseFtypBox(head: string): FtypBox | undefined {
  if (!hasFtyp(head)) return undefined;
  const size = Buffer.from(head.slice(0, 4), 'latin1').readUInt32BE();
  if (size < MIN_SIZE || size > MAX_FTYP_SIZE || size % 4 !== 0 || size > head.length) return undefined;
  return { majorBrand: head.slice(8, 12), compatibleBrands: head.slice(16, size).match(/[\s\S]{4}/g) ?? [] };
}
