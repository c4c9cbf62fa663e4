const DIGIT_0 = 0x30;
const SPACE = 0x20;
const EQUALS = 0x3d;
const NEWLINE = 0x0a;
/** Digits of the length of a record; extended headers are far smaller than 10^8 bytes. */
const MAX_DIGITS = 8;

/**
 * Reads pax records, `"<length> <key>=<value>\n"`, by key; a later record of a key replaces an earlier one.
 * `undefined` if a record is malformed. Values stay bytes, because names need not be UTF-8.
 */
export function parsePaxRecords(bytes: Uint8Array): ReadonlyMap<string, Uint8Array> | undefined {
  const records = new Map<string, Uint8Array>();
  // Some programs fill the rest of the block with zeros that they count.
  for (let at = 0; at < bytes.byteLength && bytes[at] !== 0;) {
    const end = recordEnd(bytes, at);
    if (end === undefined) return undefined;
    const start = bytes.indexOf(SPACE, at) + 1;
    const equals = bytes.indexOf(EQUALS, start);
    if (equals === -1 || equals >= end - 1 || equals === start) return undefined;
    records.set(Buffer.from(bytes.subarray(start, equals)).toString('latin1'), bytes.subarray(equals + 1, end - 1));
    at = end;
  }
  return records;
}

/** Offset after the record at `at`, whose length includes its own digits. */
function recordEnd(bytes: Uint8Array, at: number): number | undefined {
  let length = 0;
  let digits = 0;
  for (; ; digits++) {
    const digit = bytes[at + digits]! - DIGIT_0;
    if (!(digit >= 0 && digit <= 9)) break;
    if (digits === MAX_DIGITS) return undefined;
    length = length * 10 + digit;
  }
  if (digits === 0 || bytes[at + digits] !== SPACE) return undefined;
  const end = at + length;
  return end <= bytes.byteLength && end > at + digits + 2 && bytes[end - 1] === NEWLINE ? end : undefined;
}
