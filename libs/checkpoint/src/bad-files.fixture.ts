/** Bytes of a safetensors file with this header, whatever it says. */
export function fileOf(
  header: string | Uint8Array,
  data: Uint8Array | number = 0,
  declaredLength?: bigint,
): Uint8Array {
  const head = typeof header === 'string' ? new TextEncoder().encode(header) : header;
  const body = typeof data === 'number' ? new Uint8Array(data) : data;
  const file = new Uint8Array(8 + head.byteLength + body.byteLength);
  new DataView(file.buffer).setBigUint64(0, declaredLength ?? BigInt(head.byteLength), true);
  file.set(head, 8);
  file.set(body, 8 + head.byteLength);
  return file;
}

const a = '"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}';
const many = Array.from({ length: 200_001 }, (_, i) => `"${i}":{"dtype":"U8","shape":[0],"data_offsets":[0,0]}`).join(
  ',',
);

/** One file for each rule: what it breaks, its bytes, and words of the error. */
export const badFiles: readonly (readonly [rule: string, file: Uint8Array, named: RegExp])[] = [
  ['empty', new Uint8Array(0), /empty/],
  ['shorter than the length', new Uint8Array(7), /truncated/],
  ['header longer than the file', fileOf('{}', 0, 1000n), /does not fit/],
  ['header above the limit', fileOf('{}', 0, 100_000_001n), /too long/],
  ['header of 2^63 bytes', fileOf('{}', 0, 2n ** 63n), /too long/],
  ['header of no bytes', fileOf(''), /begin with/],
  ['header not UTF-8', fileOf(Uint8Array.of(0x7b, 0x22, 0xff, 0x22, 0x7d)), /UTF-8/],
  ['header with a byte order mark', fileOf(`\ufeff{${a}}`, 8), /begin with/],
  ['header that begins with a space', fileOf(` {${a}}`, 8), /begin with/],
  ['header that is a list', fileOf('[]'), /begin with/],
  ['header cut', fileOf('{"a":{"dtype":"F32","shape":[2],"data_offs', 8), /header/],
  ['text after the header', fileOf(`{${a}}x`, 8), /follows/],
  ['zero bytes after the header', fileOf(`{${a}}\0\0`, 8), /follows/],
  ['comma at the end', fileOf(`{${a},}`, 8), /string/],
  ['one name twice', fileOf(`{${a},${a}}`, 8), /twice/],
  [
    'one name twice by an escape',
    fileOf(`{${a},"\\u0061":{"dtype":"F32","shape":[0],"data_offsets":[8,8]}}`, 8),
    /twice/,
  ],
  ['one property twice', fileOf('{"a":{"dtype":"F32","shape":[2],"shape":[2],"data_offsets":[0,8]}}', 8), /twice/],
  [
    'unknown property',
    fileOf('{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8],"file":"/etc/passwd"}}', 8),
    /unknown property/,
  ],
  ['no shape', fileOf('{"a":{"dtype":"F32","data_offsets":[0,8]}}', 8), /incomplete/],
  ['no type', fileOf('{"a":{"shape":[2],"data_offsets":[0,8]}}', 8), /incomplete/],
  ['one offset', fileOf('{"a":{"dtype":"F32","shape":[2],"data_offsets":[8]}}', 8), /incomplete/],
  ['three offsets', fileOf('{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8,9]}}', 8), /more than 2/],
  ['unknown type', fileOf('{"a":{"dtype":"F33","shape":[2],"data_offsets":[0,8]}}', 8), /unknown type/],
  ['type in lower case', fileOf('{"a":{"dtype":"f32","shape":[2],"data_offsets":[0,8]}}', 8), /unknown type/],
  ['tensor that is a number', fileOf('{"a":3}'), /expected/],
  ['negative axis', fileOf('{"a":{"dtype":"F32","shape":[-2],"data_offsets":[0,8]}}', 8), /whole number/],
  ['fraction as axis', fileOf('{"a":{"dtype":"F32","shape":[2.0],"data_offsets":[0,8]}}', 8), /expected/],
  ['exponent as axis', fileOf('{"a":{"dtype":"F32","shape":[2e0],"data_offsets":[0,8]}}', 8), /expected/],
  ['leading zero', fileOf('{"a":{"dtype":"F32","shape":[02],"data_offsets":[0,8]}}', 8), /whole number/],
  ['axis above 2^53', fileOf('{"a":{"dtype":"F32","shape":[9007199254740993],"data_offsets":[0,8]}}', 8), /2\^53/],
  ['axis of 400 digits', fileOf(`{"a":{"dtype":"F32","shape":[${'9'.repeat(400)}],"data_offsets":[0,8]}}`, 8), /2\^53/],
  [
    'product above 2^53',
    fileOf('{"a":{"dtype":"F32","shape":[4294967296,4294967296],"data_offsets":[0,8]}}', 8),
    /2\^53/,
  ],
  [
    'product that wraps to the right size in 64 bits',
    fileOf('{"a":{"dtype":"U8","shape":[4294967296,4294967296,1],"data_offsets":[0,0]}}'),
    /2\^53/,
  ],
  [
    'too many axes',
    fileOf(`{"a":{"dtype":"F32","shape":[${Array(17).fill(1)}],"data_offsets":[0,4]}}`, 4),
    /more than 16/,
  ],
  ['shape larger than the length', fileOf('{"a":{"dtype":"F32","shape":[3],"data_offsets":[0,8]}}', 8), /disagree/],
  ['shape smaller than the length', fileOf('{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,8]}}', 8), /disagree/],
  ['end before the beginning', fileOf('{"a":{"dtype":"F32","shape":[2],"data_offsets":[8,0]}}', 8), /gap|disagree/],
  ['gap at the front', fileOf('{"a":{"dtype":"F32","shape":[2],"data_offsets":[4,12]}}', 12), /gap/],
  ['gap between', fileOf(`{${a},"b":{"dtype":"F32","shape":[1],"data_offsets":[12,16]}}`, 16), /gap/],
  ['overlap', fileOf(`{${a},"b":{"dtype":"F32","shape":[2],"data_offsets":[4,12]}}`, 12), /overlap/],
  ['two names for the same bytes', fileOf(`{${a},"b":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}`, 8), /overlap/],
  ['truncated data', fileOf(`{${a}}`, 7), /truncated/],
  ['bytes after the last tensor', fileOf(`{${a}}`, 9), /follow the last/],
  ['data without tensors', fileOf('{}', 4), /follow the last/],
  ['empty name', fileOf('{"":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}', 8), /name/],
  ['name __proto__', fileOf('{"__proto__":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}', 8), /name/],
  [
    'name with a control character',
    fileOf('{"a\\u001b[31m":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}', 8),
    /name/,
  ],
  ['raw control character', fileOf('{"a\n":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}', 8), /control/],
  ['name of half a character', fileOf('{"\\ud800":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}', 8), /escape/],
  ['unknown escape', fileOf('{"\\x":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}', 8), /escape/],
  [
    'name of 1,025 characters',
    fileOf(`{"${'a'.repeat(1025)}":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}`, 8),
    /name/,
  ],
  ['metadata with a number', fileOf('{"__metadata__":{"a":1}}'), /string/],
  ['metadata that is nested', fileOf('{"__metadata__":{"a":{"b":"c"}}}'), /string/],
  ['metadata twice', fileOf('{"__metadata__":{"a":"b"},"__metadata__":{"a":"c"}}'), /twice/],
  ['too many tensors', fileOf(`{${many}}`), /more than 200000/],
  ['deep nesting', fileOf(`{"a":${'['.repeat(1_000_000)}`), /expected/],
];
