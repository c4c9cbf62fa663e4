import { link, mkdir, mkdtemp, readFile, rm, symlink, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';

import { afterEach, beforeEach, describe, expect, test } from 'vitest';

import { fileOf } from '../fixtures/bad-files.ts';
import { openCheckpoint, readRawTensor, readTensor, tensorSource, writeSafetensors } from '../index.ts';

const cases = join(import.meta.dirname, '../../../../tools/parity/cases');
let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'blip2-open-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const ones = (name: string, length: number): ReturnType<typeof tensorSource> =>
  tensorSource(name, { type: 'float32', dims: [length], data: new Float32Array(length).fill(1) });
const write = (name: string, ...tensors: [string, number][]): Promise<void> =>
  writeSafetensors(
    join(folder, name),
    tensors.map(([tensor, length]) => ones(tensor, length)),
  );
const writeIndex = (weightMap: Record<string, unknown>): Promise<void> =>
  writeFile(
    join(folder, 'model.safetensors.index.json'),
    JSON.stringify({ metadata: { total_size: 1 }, weight_map: weightMap }),
  );
const refuses = async (code: string, ...named: string[]): Promise<void> => {
  for (const word of named)
    await expect(openCheckpoint(folder)).rejects.toMatchObject({ code, message: expect.stringContaining(word) });
};
const one = 'model-00001-of-00002.safetensors',
  two = 'model-00002-of-00002.safetensors';
async function writeShards(): Promise<void> {
  await write(one, ['a', 2], ['b', 3]);
  await write(two, ['c', 4]);
  await writeIndex({ a: one, b: one, c: two });
}

describe('openCheckpoint', () => {
  test('opens shards and single files of the golden cases', async () => {
    const sharded = await openCheckpoint(join(cases, 'opt/checkpoint'));
    expect([sharded.tensors.size, sharded.files.length, sharded.metadata.get('format')]).toEqual([139, 2, 'pt']);
    expect(sharded.folder).toBe(join(cases, 'opt/checkpoint'));
    const single = await openCheckpoint(join(cases, 'opt-legacy-fp16/checkpoint'));
    expect([single.tensors.size, single.tensors.get('query_tokens')?.dtype, single.byteLength]).toEqual([
      114,
      'F16',
      287136,
    ]);
  });

  test('prefers the single file, as Hugging Face Transformers does', async () => {
    await writeShards();
    await write('model.safetensors', ['only', 1]);
    expect([...(await openCheckpoint(folder)).tensors.keys()]).toEqual(['only']);
  });

  test('names the missing file', async () => {
    await refuses('MISSING_FILE', 'model.safetensors');
    await writeFile(join(folder, 'pytorch_model.bin'), 'x');
    await refuses('MISSING_FILE', 'pytorch_model.bin', 'safe_serialization');
    await write(one, ['a', 1]);
    await refuses('MISSING_FILE', 'index.json');
    await expect(openCheckpoint(join(folder, 'nowhere'))).rejects.toMatchObject({ code: 'MISSING_FILE' });
    await expect(openCheckpoint(join(folder, one))).rejects.toMatchObject({
      code: 'MISSING_FILE',
      message: expect.stringContaining('not a folder'),
    });
  });

  test.each([0, 1, 50, 99.99])('refuses a shard truncated to %d %%', async (percent) => {
    await writeShards();
    const size = (await readFile(join(folder, two))).byteLength;
    await truncate(join(folder, two), Math.min(size - 1, Math.floor((size * percent) / 100)));
    await refuses('INVALID_CHECKPOINT', two, percent === 0 ? 'empty' : 'truncated');
  });

  test('refuses an index and shards that disagree', async () => {
    await writeShards();
    await rm(join(folder, two));
    await refuses('MISSING_FILE', two);
    await write(two, ['c', 4], ['extra', 1]);
    await refuses('INVALID_CHECKPOINT', 'does not list', 'extra');
    await write(two, ['a', 4], ['c', 4]);
    await refuses('INVALID_CHECKPOINT', 'two shards', '"a"');
    await writeShards();
    await writeIndex({ a: one, b: one, c: two, missing: two });
    await refuses('INVALID_CHECKPOINT', 'not in the shard', 'missing');
    await writeIndex({ a: one, b: two, c: two });
    await refuses('INVALID_CHECKPOINT', 'another shard', '"b"');
  });

  test.each([
    ['{', 'not valid JSON'],
    ['[]', 'weight_map'],
    ['{"weight_map":[]}', 'weight_map'],
    ['{"weight_map":{}}', 'no tensor'],
    ['{"weight_map":{"a":3}}', 'no file'],
    ['{"weight_map":{"a":""}}', 'no file'],
  ])('refuses the index %s', async (text, named) => {
    await writeFile(join(folder, 'model.safetensors.index.json'), text);
    await refuses('INVALID_CHECKPOINT', named);
  });

  test.each([
    '../outside.safetensors',
    '/etc/passwd',
    '..',
    '.',
    'sub/../../outside.safetensors',
    '..\\outside.safetensors',
    'a\0b',
  ])('refuses the shard name %j', async (name) => {
    await writeIndex({ a: name });
    await refuses('UNSAFE_PATH', 'outside its folder');
  });

  test('opens shards in a subfolder, as Hugging Face Transformers does', async () => {
    await mkdir(join(folder, 'sub'));
    await write('sub/first.safetensors', ['a', 2]);
    await writeIndex({ a: 'sub/first.safetensors' });
    expect([...(await openCheckpoint(folder)).tensors.keys()]).toEqual(['a']);
  });

  test('refuses a weight file that is not a regular file', async () => {
    await mkdir(join(folder, 'model.safetensors'));
    await refuses('INVALID_CHECKPOINT', 'regular file');
  });
});

describe('links', () => {
  test('within the folder are followed, and hard links too', async () => {
    await mkdir(join(folder, 'weights'));
    await write('weights/real', ['a', 2]);
    await symlink('weights/real', join(folder, 'model.safetensors'));
    expect((await openCheckpoint(folder)).folder).toBe(join(folder, 'weights'));
    await rm(join(folder, 'model.safetensors'));
    await link(join(folder, 'weights/real'), join(folder, 'model.safetensors'));
    expect((await openCheckpoint(folder)).folder).toBe(folder);
  });

  test('out of the folder and broken ones are refused', async () => {
    const model = join(folder, 'model');
    await mkdir(model);
    await write('secret', ['a', 2]);
    await symlink('../secret', join(model, 'model.safetensors'));
    await expect(openCheckpoint(model)).rejects.toMatchObject({
      code: 'UNSAFE_PATH',
      message: expect.stringContaining('leads out'),
    });
    await rm(join(folder, 'secret'));
    await expect(openCheckpoint(model)).rejects.toMatchObject({
      code: 'MISSING_FILE',
      message: expect.stringContaining('broken link'),
    });
    await rm(join(model, 'model.safetensors'));
    await symlink('/etc/hostname', join(model, 'model.safetensors.index.json'));
    await expect(openCheckpoint(model)).rejects.toMatchObject({ code: 'UNSAFE_PATH' });
  });

  test('to a folder are followed', async () => {
    await mkdir(join(folder, 'model'));
    await write('model/model.safetensors', ['a', 2]);
    await symlink('model', join(folder, 'alias'));
    expect((await openCheckpoint(join(folder, 'alias'))).folder).toBe(join(folder, 'model'));
  });

  test('from a Hugging Face snapshot into its blobs and the shared store are followed', async () => {
    const hub = join(folder, 'hub'),
      repository = join(hub, 'models--o--n'),
      snapshot = join(repository, 'snapshots/abc');
    await Promise.all(
      [snapshot, join(repository, 'blobs'), join(hub, 'blobs/ab'), join(hub, 'other')].map((path) =>
        mkdir(path, { recursive: true }),
      ),
    );
    await write(relative(folder, join(repository, 'blobs/one')), ['a', 2]);
    await write(relative(folder, join(hub, 'blobs/ab/two')), ['c', 2]);
    await write(relative(folder, join(hub, 'other/three')), ['c', 2]);
    await symlink('../../blobs/one', join(snapshot, one));
    await symlink('../../blobs/ab/two', join(repository, 'blobs/two'));
    await symlink('../../blobs/two', join(snapshot, two));
    await writeFile(join(snapshot, 'model.safetensors.index.json'), JSON.stringify({ weight_map: { a: one, c: two } }));
    const checkpoint = await openCheckpoint(snapshot);
    expect(checkpoint.folder).toBe(hub);
    expect(checkpoint.files).toEqual([join(repository, 'blobs/one'), join(hub, 'blobs/ab/two')]);
    await rm(join(snapshot, two));
    await symlink('../../../other/three', join(snapshot, two));
    await expect(openCheckpoint(snapshot)).rejects.toMatchObject({ code: 'UNSAFE_PATH' });
  });
});

describe('readTensor', () => {
  test('reads every floating-point type as float32', async () => {
    const data = new Uint8Array(Float64Array.of(1.5).buffer);
    const header =
      '{"d":{"dtype":"F64","shape":[1],"data_offsets":[0,8]},' +
      '"h":{"dtype":"F16","shape":[2],"data_offsets":[8,12]},' +
      '"b":{"dtype":"BF16","shape":[1,1],"data_offsets":[12,14]},' +
      '"f":{"dtype":"F32","shape":[],"data_offsets":[14,18]},' +
      '"i":{"dtype":"I8","shape":[1],"data_offsets":[18,19]}}';
    const body = Uint8Array.of(...data, 0x00, 0x3c, 0x00, 0xc0, 0x80, 0x3f, 0, 0, 0x20, 0x41, 0xff);
    await writeFile(join(folder, 'model.safetensors'), fileOf(header, body));
    const { tensors } = await openCheckpoint(folder);
    const read = async (name: string): Promise<unknown> => {
      const stored = tensors.get(name);
      return stored && readTensor(stored).then(({ type, dims, data: values }) => [type, dims, [...values]]);
    };
    expect(await read('d')).toEqual(['float32', [1], [1.5]]);
    expect(await read('h')).toEqual(['float32', [2], [1, -2]]);
    expect(await read('b')).toEqual(['float32', [1, 1], [1]]);
    expect(await read('f')).toEqual(['float32', [], [10]]);
    await expect(read('i')).rejects.toMatchObject({ code: 'UNSUPPORTED_DTYPE' });
    const integer = tensors.get('i');
    expect(integer && (await readRawTensor(integer))).toEqual(Uint8Array.of(0xff));
  });

  test('detects a file that was truncated or deleted after it was opened, and can be aborted', async () => {
    await write('model.safetensors', ['a', 10]);
    const stored = (await openCheckpoint(folder)).tensors.get('a');
    if (stored === undefined) return expect.fail('the tensor is missing');
    await expect(readTensor(stored, { signal: AbortSignal.abort() })).rejects.toMatchObject({ name: 'AbortError' });
    await truncate(stored.file, stored.byteOffset + 12);
    await expect(readTensor(stored)).rejects.toMatchObject({ code: 'MODEL_CHANGED', details: { where: stored.file } });
    const { version: _, ...unversioned } = stored;
    await expect(readTensor(unversioned)).rejects.toMatchObject({
      code: 'INVALID_CHECKPOINT',
      message: expect.stringContaining('truncated'),
    });
    await rm(stored.file);
    await expect(readRawTensor(stored)).rejects.toMatchObject({ code: 'MISSING_FILE' });
  });
});
