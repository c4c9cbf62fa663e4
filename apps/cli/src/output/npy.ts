/**
 * Version 1.0 of NumPy's file format (NEP 1): magic, header length, a Python dictionary, data from a multiple of 64 on.
 */
const MAGIC: readonly number[] = [0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59, 1, 0];
const ALIGNMENT = 64;
const LENGTH_BYTES = 2;
/** Room for the first axis, as NumPy leaves it: the header can be written again when the array has grown. */
const FIRST_AXIS_DIGITS = 21;

/**
 * What comes before the little-endian float32 values of an array of this shape; its length does not depend on the first
 * axis.
 */
export function npyHeader(shape: readonly number[]): Uint8Array {
  const [first = 0, ...others] = shape;
  const dictionary = dictionaryOf(String(first), others);
  const before = MAGIC.length + LENGTH_BYTES;
  // The header ends with a line feed.
  const longest = before + dictionaryOf('0'.repeat(FIRST_AXIS_DIGITS), others).length + 1;
  const length = Math.ceil(longest / ALIGNMENT) * ALIGNMENT - before;
  const header = new Uint8Array(before + length).fill(' '.charCodeAt(0));
  header.set(MAGIC);
  new DataView(header.buffer).setUint16(MAGIC.length, length, true);
  header.set(new TextEncoder().encode(dictionary), before);
  header[header.length - 1] = '\n'.charCodeAt(0);
  return header;
}

function dictionaryOf(first: string, others: readonly number[]): string {
  const tuple = others.length === 0 ? `(${first},)` : `(${[first, ...others].join(', ')})`;
  return `{'descr': '<f4', 'fortran_order': False, 'shape': ${tuple}, }`;
}
