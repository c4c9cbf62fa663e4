import { chmod, mkdtemp, open, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { fileVersion } from '@blip2/files';
import { f32, i64, type OnnxModel, type Session, type Tensor } from '@blip2/interfaces';
import { BinaryWriter, WireType } from '@bufbuild/protobuf/wire';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { createSession } from './create-session.ts';
import { createRemoteSession } from './remote-session.ts';

let folder = '';
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'blip2-session-'));
});
afterAll(async () => {
  await rm(folder, { recursive: true, force: true });
});

/** Fields of a protobuf message, with the field numbers of onnx.proto. */
const number = (field: number, value: number): Uint8Array =>
  new BinaryWriter().tag(field, WireType.Varint).uint64(value).finish();
const bytes = (field: number, value: string | Uint8Array): Uint8Array =>
  new BinaryWriter().tag(field, WireType.LengthDelimited).bytes(Buffer.from(value)).finish();
const valueInfo = (name: string, dims: readonly (number | string)[]): Uint8Array => {
  const shape = dims.map((dim) => bytes(1, typeof dim === 'number' ? number(1, dim) : bytes(2, dim)));
  return Buffer.concat([
    bytes(1, name),
    bytes(2, bytes(1, Buffer.concat([number(1, 1), bytes(2, Buffer.concat(shape))]))),
  ]);
};

const external = (location: string, size: number): Uint8Array =>
  Buffer.concat(
    [
      ['location', location],
      ['offset', '0'],
      ['length', String(size * size * 4)],
    ].map(([key = '', value = '']) => bytes(13, Buffer.concat([bytes(1, key), bytes(2, value)]))),
  );

/** `y = x · W` over a square weight in a file of `weightsFolder`. */
function product(size: number, location: string, weightsFolder = folder) {
  const signature = { inputs: { x: f32('rows', size) }, outputs: { y: f32('rows', size) } } as const;
  return {
    name: 'product',
    signature,
    weightsFolder,
    serialize(): Uint8Array {
      const node = bytes(1, Buffer.concat([bytes(1, 'x'), bytes(1, 'W'), bytes(2, 'y'), bytes(4, 'MatMul')]));
      const weight = bytes(
        5,
        Buffer.concat([
          number(1, size),
          number(1, size),
          number(2, 1),
          bytes(8, 'W'),
          external(location, size),
          number(14, 1),
        ]),
      );
      const graph = Buffer.concat([
        node,
        bytes(2, 'g'),
        weight,
        bytes(11, valueInfo('x', ['rows', size])),
        bytes(12, valueInfo('y', ['rows', size])),
      ]);
      return Buffer.concat([number(1, 10), bytes(7, graph), bytes(8, Buffer.concat([bytes(1, ''), number(2, 21)]))]);
    },
  } satisfies OnnxModel;
}

async function doubling(): Promise<ReturnType<typeof product>> {
  await writeFile(join(folder, 'double.bin'), new Uint8Array(Float32Array.of(2, 0, 0, 2).buffer));
  return product(2, 'double.bin');
}

function failure(code: string, words: RegExp = /./): unknown {
  return expect.objectContaining({ name: 'Blip2Error', code, message: expect.stringMatching(words) as string });
}
const x: Tensor<'float32', [number, 2]> = { type: 'float32', dims: [1, 2], data: Float32Array.of(1, 2) };

describe('createSession', () => {
  test('runs a graph over weights mapped in place', async () => {
    await using session = await createSession(await doubling());
    const { y } = await session.run({ x });
    expect(y).toEqual({ type: 'float32', dims: [1, 2], data: Float32Array.of(2, 4) });
    expect(
      (await session.run({ x: { type: 'float32', dims: [2, 2], data: Float32Array.of(1, 2, 3, 4) } })).y.dims,
    ).toEqual([2, 2]);
  });

  test('accepts a view into a larger array', async () => {
    await using session = await createSession(await doubling());
    const { y } = await session.run({ x: { ...x, data: Float32Array.of(9, 9, 1, 2, 9).subarray(2, 4) } });
    expect([...y.data]).toEqual([2, 4]);
  });

  test('returns results that outlive it', async () => {
    const session = await createSession(await doubling());
    const { y } = await session.run({ x });
    await session[Symbol.asyncDispose]();
    expect([...y.data]).toEqual([2, 4]);
  });

  test('accepts a number of threads', async () => {
    await using session = await createSession(await doubling(), { threads: 1, device: 'cpu' });
    expect([...(await session.run({ x })).y.data]).toEqual([2, 4]);
  });

  test('rejects an invalid graph', async () => {
    const corrupt = { ...(await doubling()), serialize: () => Uint8Array.of(1, 2, 3, 4, 5) };
    await expect(createSession(corrupt)).rejects.toThrow(failure('SESSION_FAILED', /load.*product/));
  });

  test('rejects missing weights and files that are too short', async () => {
    await expect(createSession(product(2, 'nowhere.bin'))).rejects.toThrow(
      failure('SESSION_FAILED', new RegExp(folder)),
    );
    await writeFile(join(folder, 'short.bin'), new Uint8Array(8));
    await expect(createSession(product(2, 'short.bin'))).rejects.toThrow(failure('SESSION_FAILED'));
  });

  test('does not map weights outside their folder', async () => {
    await doubling();
    await expect(createSession(product(2, '../double.bin', join(folder, 'inner')))).rejects.toThrow(
      failure('SESSION_FAILED'),
    );
    await expect(createSession(product(2, join(folder, 'double.bin')))).rejects.toThrow(failure('SESSION_FAILED'));
  });

  test('rejects a device that onnxruntime does not support', async () => {
    await expect(createSession(await doubling(), { device: 'abacus' })).rejects.toThrow(
      failure('UNSUPPORTED_DEVICE', /cpu.*abacus/),
    );
  });

  test('does not run after disposal, and can be disposed twice', async () => {
    const session = await createSession(await doubling());
    await session[Symbol.asyncDispose]();
    await session[Symbol.asyncDispose]();
    await expect(session.run({ x })).rejects.toThrow(failure('DISPOSED', /product/));
  });
});

describe('an input', () => {
  const wrong: readonly (readonly [string, Readonly<Record<string, unknown>>, string, RegExp])[] = [
    ['nothing', {}, 'INVALID_ARGUMENT', /input x of product/],
    ['another rank', { x: { ...x, dims: [2] } }, 'SHAPE_MISMATCH', /float32 \[rows, 2\].*float32 \[2\]/],
    ['another width', { x: { ...x, dims: [2, 1] } }, 'SHAPE_MISMATCH', /\[2, 1\]/],
    ['another type', { x: { type: 'int64', dims: [1, 2], data: BigInt64Array.of(1n, 2n) } }, 'SHAPE_MISMATCH', /int64/],
    ['too few elements', { x: { ...x, data: Float32Array.of(1) } }, 'SHAPE_MISMATCH', /with 1 elements/],
    [
      'elements in an array of another type',
      { x: { ...x, data: Float64Array.of(1, 2) } },
      'SHAPE_MISMATCH',
      /Float64Array/,
    ],
  ];
  test.each(wrong)('is rejected if it is %s', async (_, inputs, code, words) => {
    await using session = await createSession(await doubling());
    await expect(session.run(inputs as never)).rejects.toThrow(failure(code, words));
  });

  test('has one length per axis name', async () => {
    const signature = { inputs: { x: f32('rows', 2), ids: i64('rows') }, outputs: { y: f32('rows', 2) } } as const;
    await using session: Session<typeof signature> = await createSession({ ...(await doubling()), signature });
    await expect(session.run({ x, ids: { type: 'int64', dims: [2], data: BigInt64Array.of(1n, 2n) } })).rejects.toThrow(
      failure('SHAPE_MISMATCH', /input ids.*int64 \[1\].*int64 \[2\]/),
    );
  });
});

describe('weights', () => {
  /** 205 MB. */
  const size = 7168;
  const anonymousBytes = async (): Promise<number> =>
    Number(/RssAnon:\s+(\d+) kB/.exec(await readFile('/proc/self/status', 'utf8'))?.[1]) * 1024;

  test.runIf(process.platform === 'linux')(
    'of 205 MB are mapped, not copied (where the system says what is copied: Linux)',
    async () => {
      const file = await open(join(folder, 'large.bin'), 'w');
      const row = new Float32Array(size);
      for (let at = 0; at < size; at++) await file.write(new Uint8Array(row.fill(at).buffer));
      await file.close();
      const before = await anonymousBytes();
      await using session = await createSession(product(size, 'large.bin'), { threads: 1 });
      const input = new Float32Array(size);
      input[7000] = 0.5;
      const { y } = await session.run({ x: { type: 'float32', dims: [1, size], data: input } });
      expect([y.data[0], y.data[size - 1]]).toEqual([3500, 3500]);
      expect((await anonymousBytes()) - before).toBeLessThan(60e6);
    },
  );
});

describe('weights that are another version than the graph was built for', () => {
  const data = Float32Array.of(1, 1);
  const two = (): Tensor<'float32', [number, number]> => ({ type: 'float32', dims: [1, 2], data });
  const weights = (...values: number[]): Uint8Array => new Uint8Array(Float32Array.from(values).buffer);

  async function versioned(name: string): Promise<ReturnType<typeof product> & OnnxModel> {
    const file = join(folder, name);
    await writeFile(file, weights(2, 0, 0, 2));
    return { ...product(2, name), weightFiles: [{ file, version: (await fileVersion(file)) ?? '' }] };
  }
  const changed = expect.objectContaining({ code: 'MODEL_CHANGED' });

  test('are refused if they were replaced, written to with equal length, or deleted', async () => {
    const replaced = await versioned('replaced.bin');
    await writeFile(join(folder, 'new.bin'), weights(0, 2, 2, 0));
    await rename(join(folder, 'new.bin'), join(folder, 'replaced.bin'));
    await expect(createSession(replaced)).rejects.toEqual(changed);
    await expect(createRemoteSession(replaced)).rejects.toEqual(changed);
    const written = await versioned('written.bin');
    await writeFile(join(folder, 'written.bin'), weights(0, 2, 2, 0));
    await expect(createSession(written)).rejects.toEqual(changed);
    const deleted = await versioned('deleted.bin');
    await rm(join(folder, 'deleted.bin'));
    await expect(createSession(deleted)).rejects.toEqual(changed);
  });

  test('give no result if they are written to between loading and the first run', async () => {
    const model = await versioned('later.bin');
    await using session = await createSession(model);
    await writeFile(join(folder, 'later.bin'), weights(0, 2, 2, 0));
    await expect(session.run({ x: two() })).rejects.toEqual(changed);
  });

  test('stay mapped if the file is replaced after loading', async () => {
    const model = await versioned('mapped.bin');
    await using session = await createSession(model);
    await writeFile(join(folder, 'new.bin'), weights(0, 9, 9, 0));
    await rename(join(folder, 'new.bin'), join(folder, 'mapped.bin'));
    expect((await session.run({ x: two() })).y.data).toEqual(Float32Array.of(2, 2));
  });

  test('are used if only their permissions changed', async () => {
    const model = await versioned('read.bin');
    await chmod(join(folder, 'read.bin'), 0o444);
    await using session = await createSession(model);
    expect((await session.run({ x: two() })).y.data).toEqual(Float32Array.of(2, 2));
  });
});
