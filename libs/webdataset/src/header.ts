import { BLOCK } from './limits.ts';

/** The fields of a tar header that matter here. */
export interface TarHeader {
  /** Name with the prefix of ustar, as bytes without the final zeros. */
  readonly name: Uint8Array;
  readonly size: number;
  /** Type flag: `0` file, `5` folder, `x` pax records, `L` GNU long name, … */
  readonly type: string;
}

/** Why a block is no header. */
export class HeaderFault {
  readonly reason: string;
  constructor(reason: string) {
    this.reason = reason;
  }
}

const CHECKSUM_AT = 148;
const CHECKSUM_LENGTH = 8;
const SPACE = 0x20;

/** Whether a block is zero, as the two blocks that end an archive are. */
export function isZeroBlock(block: Uint8Array): boolean {
  return block.every((byte) => byte === 0);
}

/**
 * Reads a header block of POSIX ustar, GNU tar or old tar. Numbers are octal or, with the first bit set, binary (GNU).
 * The checksum may have been computed over signed bytes, as old programs did.
 */
export function parseHeader(block: Uint8Array): TarHeader | HeaderFault {
  const stored = readNumber(block.subarray(CHECKSUM_AT, CHECKSUM_AT + CHECKSUM_LENGTH));
  if (stored === undefined || !checksums(block).includes(stored)) return new HeaderFault('its checksum is wrong');
  const size = readNumber(block.subarray(124, 136));
  if (size === undefined) return new HeaderFault('its size is not a number');
  const type = String.fromCharCode(block[156]!);
  const name = untilZero(block.subarray(0, 100));
  const isUstar = ascii(block.subarray(257, 263)) === 'ustar\0';
  const prefix = isUstar ? untilZero(block.subarray(345, 500)) : new Uint8Array(0);
  if (prefix.byteLength === 0) return { name, size, type };
  return { name: Buffer.concat([prefix, Buffer.from('/'), name]), size, type };
}

/** Sums over unsigned and signed bytes, with the checksum field itself as spaces. */
function checksums(block: Uint8Array): [number, number] {
  let unsigned = 0;
  let signed = 0;
  for (let at = 0; at < BLOCK; at++) {
    const inField = at >= CHECKSUM_AT && at < CHECKSUM_AT + CHECKSUM_LENGTH;
    const byte = inField ? SPACE : block[at]!;
    unsigned += byte;
    signed += byte < 128 ? byte : byte - 256;
  }
  return [unsigned, signed];
}

/** Reads a number field; an empty one is 0. `undefined` if it is malformed, negative or not exact in a double. */
function readNumber(field: Uint8Array): number | undefined {
  if ((field[0]! & 0x80) !== 0) {
    if (field[0] !== 0x80) return undefined;
    const value = field.subarray(1).reduce((sum, byte) => sum * 256 + byte, 0);
    return Number.isSafeInteger(value) ? value : undefined;
  }
  const text = ascii(untilZero(field)).trim();
  if (text === '') return 0;
  return /^[0-7]+$/.test(text) ? Number.parseInt(text, 8) : undefined;
}

/** Number of bytes with contents and padding. */
export function paddedSize(size: number): number {
  return Math.ceil(size / BLOCK) * BLOCK;
}

export function untilZero(bytes: Uint8Array): Uint8Array {
  const end = bytes.indexOf(0);
  return end === -1 ? bytes : bytes.subarray(0, end);
}

function ascii(bytes: Uint8Array): string {
  return String.fromCharCode(...bytes);
}
