import { expect, test } from 'vitest';

import { type JsonLimits, parseJson } from './parse-json.ts';

/** The parsed value, or the broken rule and the details of the error. */
function parsed(text: string | Uint8Array, limits?: JsonLimits): unknown {
  const bytes = typeof text === 'string' ? new TextEncoder().encode(text) : text;
  return parseJson(bytes, (rule, details) => new Error(`${rule} ${JSON.stringify(details)}`), limits);
}

test.each([
  ['{"a":NaN,"b":[Infinity, -Infinity\n],"c":"NaN"}', { a: Number.NaN, b: [Infinity, -Infinity], c: 'NaN' }],
  ['{"é NaN":"\\"Infinity","a\\\\":NaN}', { 'é NaN': '"Infinity', 'a\\': Number.NaN }],
  ['NaN', Number.NaN],
  ['\ufeff{"a":1}', { a: 1 }],
  [' [1e3,true,null] ', [1000, true, null]],
])('parses %j as Python does', (text, value) => {
  expect(parsed(text)).toEqual(value);
});

test.each(['[-NaN]', '[1Infinity]', '[Infinity1]', '[+Infinity]', '[--Infinity]', '[nan]', '{NaN:1}', '{NaN :1}', '{'])(
  'refuses %j as Python does',
  (text) => {
    expect(() => parsed(text)).toThrow('its syntax is wrong');
  },
);

test('names line and column of an error, and never quotes the text', () => {
  expect(() => parsed('{\n  "a": 1,\n}')).toThrow('line 3, column 1');
  for (const secret of ['root:x:0:0', '{"token":"hf_x",}', '["hf_x"'])
    expect(() => parsed(secret)).toThrow(expect.objectContaining({ message: expect.not.stringMatching(/root|hf_x/) }));
});

test.each<[string, string, JsonLimits, string]>([
  ['deep', '['.repeat(1_000_000), {}, 'levels {"expected":"at most 64"'],
  ['deep and closed', '[{"a":'.repeat(40) + '1' + '}]'.repeat(40), {}, 'levels {"expected":"at most 64"'],
  ['of many values', '[1,2,3,4,5]', { maxValues: 5 }, 'values {"expected":"at most 5"'],
  ['of many lists and objects', '[[],{},[]]', { maxContainers: 3 }, 'objects and lists {"expected":"at most 3"'],
  ['of many keys', '{"a":1,"b":2,"c":3}', { maxKeys: 2 }, 'keys {"expected":"at most 2"'],
  ['of many literals', `[${'NaN,'.repeat(5000)}1]`, {}, 'not finite {"expected":"at most 4096"'],
])('refuses a text that is %s before parsing it', (_, text, limits, rule) => {
  expect(() => parsed(text, limits)).toThrow(rule);
});

test('counts nothing within strings, and takes 64 levels', () => {
  const text = `{"[[,:{\\"":"[,:,{\\\\"}`;
  expect(parsed(text, { maxValues: 2, maxContainers: 1, maxKeys: 1 })).toEqual({ '[[,:{"': '[,:,{\\' });
  expect(parsed('['.repeat(64) + ']'.repeat(64))).toBeInstanceOf(Array);
});

test.each([
  ['little-endian', Buffer.from('\ufeff{"a":1}', 'utf16le')],
  ['big-endian', Buffer.from('\ufeff{"a":1}', 'utf16le').swap16()],
  ['without a byte order mark', Buffer.from('{"a":1}', 'utf16le')],
])('names UTF-16: %s', (_, bytes) => {
  expect(() => parsed(bytes)).toThrow('it is UTF-16 {"expected":"UTF-8","fix":"Save the file as UTF-8"}');
});

test('refuses other encodings and an empty file', () => {
  expect(() => parsed('')).toThrow('it is empty');
  expect(() => parsed(Uint8Array.of(0x22, 0xff, 0x22))).toThrow('it is not UTF-8');
});
