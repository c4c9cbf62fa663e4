import { mkdtemp, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { Blip2Error } from '@blip2/interfaces';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { badFiles, fileOf } from '../fixtures/bad-files.ts';
import { parseHeader } from './header.ts';
import { readHeader } from './read-header.ts';
import { ELEMENT_BYTES } from './stored-type.ts';

/** The entry of a tensor of two floats. */
const A = '"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'blip2-header-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

describe('readHeader', () => {
  test('reads tensors in file order, with their byte offsets', async () => {
    const header =
      '{"b":{"dtype":"F16","shape":[3,1],"data_offsets":[8,14]},' +
      '"__metadata__":{"format":"pt","\\u00e9":"\\n"},' +
      '"a":{"data_offsets":[0,8],"shape":[2],"dtype":"F32"},' +
      '"scalar":{"dtype":"U8","shape":[],"data_offsets":[14,15]},' +
      '"none":{"dtype":"I64","shape":[0,7],"data_offsets":[15,15]}}  \n\t';
    const file = join(folder, 'good');
    await writeFile(file, fileOf(header, 15));
    const { tensors, metadata } = await readHeader(file);
    const start = 8 + new TextEncoder().encode(header).byteLength;
    const { dev, ino, size, mtimeNs } = await stat(file, { bigint: true });
    const version = [dev, ino, size, mtimeNs].join(':');
    expect(tensors).toEqual([
      { name: 'a', dtype: 'F32', shape: [2], file, byteOffset: start, byteLength: 8, version },
      { name: 'b', dtype: 'F16', shape: [3, 1], file, byteOffset: start + 8, byteLength: 6, version },
      { name: 'scalar', dtype: 'U8', shape: [], file, byteOffset: start + 14, byteLength: 1, version },
      { name: 'none', dtype: 'I64', shape: [0, 7], file, byteOffset: start + 15, byteLength: 0, version },
    ]);
    expect([...metadata]).toEqual([
      ['format', 'pt'],
      ['é', '\n'],
    ]);
  });

  test('reads a file without tensors', async () => {
    const file = join(folder, 'none');
    await writeFile(file, fileOf('{}'));
    expect((await readHeader(file)).tensors).toEqual([]);
  });

  test.each(badFiles)('refuses: %s', async (rule, bytes, named) => {
    const file = join(folder, 'bad');
    await writeFile(file, bytes);
    const began = performance.now();
    await expect(readHeader(file), rule).rejects.toMatchObject({
      code: 'INVALID_CHECKPOINT',
      message: expect.stringMatching(named),
    });
    await expect(readHeader(file)).rejects.toThrow(file);
    expect(performance.now() - began).toBeLessThan(20_000);
  });

  test('does not quote the first bytes of a file of another kind', async () => {
    const file = join(folder, 'passwd');
    await writeFile(file, 'root:x:0:0:root:/root:/bin/bash\n');
    await expect(readHeader(file)).rejects.toMatchObject({
      code: 'INVALID_CHECKPOINT',
      message: expect.not.stringMatching(/\d{10}|root/),
    });
  });

  test.each([
    ['null as metadata', `{"__metadata__":null,${A}}`],
    ['space before the brace', ` \t\r\n{${A}}`],
    ['unknown properties', `{"a":{"note":{"b":["\\"}",-1.5e3,true,null,{}]},"x":[],${A.slice('"a":{'.length)}}`],
    ['17 axes', `{"a":{"dtype":"F32","shape":[2${',1'.repeat(16)}],"data_offsets":[0,8]}}`],
  ])('accepts %s, as the Rust library', async (_, header) => {
    const file = join(folder, 'loose');
    await writeFile(file, fileOf(header, 8));
    expect((await readHeader(file)).tensors).toMatchObject([{ name: 'a', dtype: 'F32', byteLength: 8 }]);
  });

  test.each([
    ['U16', 4, 8],
    ['U32', 4, 16],
    ['U64', 4, 32],
    ['C64', 4, 32],
    ['F8_E4M3', 4, 4],
    ['F8_E5M2', 4, 4],
    ['F8_E8M0', 4, 4],
    ['F8_E4M3FNUZ', 4, 4],
    ['F8_E5M2FNUZ', 4, 4],
    ['F6_E2M3', 4, 3],
    ['F6_E3M2', 4, 3],
    ['F4', 4, 2],
  ])('reads a header with a tensor of type %s', async (dtype, elements, byteLength) => {
    const file = join(folder, 'types');
    const entry = `{"a":{"dtype":"${dtype}","shape":[${elements}],"data_offsets":[0,${byteLength}]}}`;
    await writeFile(file, fileOf(entry, byteLength));
    expect((await readHeader(file)).tensors).toMatchObject([{ dtype, shape: [elements], byteLength }]);
  });
});

/** Seeded random numbers (Park and Miller), so that failures are reproducible. */
function random(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (state * 48271) % 2147483647;
    return state % below;
  };
}

const nasty = [
  '"',
  '{',
  '}',
  '[',
  ']',
  ',',
  ':',
  '\\',
  '\\u0000',
  '-1',
  '0',
  '1e9',
  '9007199254740992',
  '18446744073709551616',
  'null',
  'true',
  '"F32"',
  '"BF16"',
  '"__proto__"',
  '"__metadata__"',
  ' ',
  '\0',
  '\u00e9',
  '"shape"',
  '"dtype"',
  '"data_offsets"',
];
const good = JSON.stringify({
  __metadata__: { format: 'pt' },
  'layer.0.weight': { dtype: 'F32', shape: [4, 2], data_offsets: [0, 32] },
  'layer.0.bias': { dtype: 'BF16', shape: [4], data_offsets: [32, 40] },
  ids: { dtype: 'I64', shape: [1], data_offsets: [40, 48] },
});

/** Applies one to three changes to the tokens of a header: replace, insert, delete, swap, repeat. */
function mutate(text: string, pick: (below: number) => number): string {
  const tokens = text.match(/"[^"]*"|\d+|./gs) ?? [];
  for (let i = pick(3); i >= 0; i -= 1) {
    const at = pick(tokens.length),
      other = pick(tokens.length);
    const change = pick(6);
    if (change === 0) tokens[at] = nasty[pick(nasty.length)] ?? '';
    else if (change === 1) tokens.splice(at, 0, nasty[pick(nasty.length)] ?? '');
    else if (change === 2) tokens.splice(at, 1);
    else if (change === 3) [tokens[at], tokens[other]] = [tokens[other] ?? '', tokens[at] ?? ''];
    else if (change === 4) tokens.splice(at, 0, ...tokens.slice(Math.min(at, other), Math.max(at, other)));
    else if (/^\d+$/.test(tokens[at] ?? '')) tokens[at] = String(Math.max(0, Number(tokens[at]) + pick(3) - 1));
  }
  return tokens.join('');
}

describe('parseHeader', () => {
  test('parses 20,000 mutated headers to a valid result or a typed error', () => {
    const pick = random(20260101);
    let accepted = 0;
    for (let round = 0; round < 20_000; round++) {
      const text = mutate(good, pick);
      const bytes = new TextEncoder().encode(text);
      const fileBytes = 8 + bytes.byteLength + 48;
      try {
        const { tensors } = parseHeader(bytes, 'file', fileBytes);
        accepted++;
        let position = 8 + bytes.byteLength;
        for (const { dtype, shape, byteOffset, byteLength } of tensors) {
          expect([byteOffset, byteLength], text).toEqual([
            position,
            shape.reduce((product, axis) => product * axis, ELEMENT_BYTES[dtype]),
          ]);
          position += byteLength;
        }
        expect(position, text).toBe(fileBytes);
        expect(new Set(tensors.map(({ name }) => name)).size, text).toBe(tensors.length);
      } catch (error) {
        if (!(error instanceof Blip2Error)) throw error;
        expect(error.code, text).toBe('INVALID_CHECKPOINT');
      }
    }
    // Both outcomes must occur, or the mutations prove nothing.
    expect(accepted).toBeGreaterThan(500);
    expect(accepted).toBeLessThan(15_000);
  });
});
