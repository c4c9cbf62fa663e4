import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { openCheckpoint, readTensor } from '@blip2/checkpoint';
import { asyncBufferFromFile, type FileMetaData, parquetMetadataAsync, parquetReadObjects } from 'hyparquet';
import { describe, expect, onTestFinished, test } from 'vitest';

import type { Row } from './array-writer.ts';
import { jsonLinesWriter } from './json-lines-writer.ts';
import { npyHeader, npyWriter } from './npy-writer.ts';
import { parquetWriter } from './parquet-writer.ts';
import type { RowTarget } from './row-target.ts';
import { rowsFile } from './rows-file.ts';
import { tensorsWriter } from './tensors-writer.ts';

async function temporaryFolder(): Promise<(name?: string) => string> {
  const folder = await mkdtemp(join(tmpdir(), 'blip2-tables-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  return (name = '') => join(folder, name);
}

const row = (dims: readonly number[], first = 0): Row => ({
  dims,
  data: Float32Array.from({ length: dims.reduce((a, b) => a * b, 1) }, (_, index) => first + index),
});
const rowsIn = async (file: string): Promise<Record<string, unknown>[]> =>
  parquetReadObjects({ file: await asyncBufferFromFile(file) });
const metadataOf = async (file: string): Promise<FileMetaData> => parquetMetadataAsync(await asyncBufferFromFile(file));

/** Keeps what it is given. */
function memoryTarget(): { readonly events: unknown[]; readonly open: () => Promise<RowTarget> } {
  const events: unknown[] = [];
  return {
    events,
    open: async () => ({
      write: async (content) => void events.push(typeof content === 'string' ? content : content.length),
      rewrite: async (start) => void events.push(['rewrite', start.length]),
      commit: async () => void events.push('commit'),
      discard: async () => void events.push('discard'),
    }),
  };
}

describe('npyWriter', () => {
  test('writes one array, whose header has the number of rows', async () => {
    const at = await temporaryFolder();
    const array = npyWriter(at('a.npy'));
    for (let index = 0; index < 12; index++) await array.append(`row ${index}`, row([2, 3], index));
    const [temporary] = await readdir(at());
    expect(temporary).toMatch(/^\.a\.npy\..*\.tmp$/);
    await array.finish();
    expect(await readdir(at())).toEqual(['a.npy']);
    const bytes = await readFile(at('a.npy'));
    const header = npyHeader([12, 2, 3]);
    expect([header.length % 64, bytes.subarray(0, header.length)]).toEqual([0, Buffer.from(header)]);
    expect(bytes.length).toBe(header.length + 12 * 6 * 4);
    expect(bytes.readFloatLE(header.length + 11 * 24)).toBe(11);
  });

  test('writes rows that are views into larger buffers, and single numbers', async () => {
    const at = await temporaryFolder();
    const array = npyWriter(at('a.npy'));
    await array.append('view', { dims: [2], data: Float32Array.of(9, 1, 2, 9).subarray(1, 3) });
    await array.finish();
    expect([...new Float32Array((await readFile(at('a.npy'))).slice(-8).buffer.slice(-8))]).toEqual([1, 2]);
    const numbers = npyWriter(at('b.npy'));
    await numbers.append('number', { dims: [], data: Float32Array.of(7) });
    await numbers.finish();
    expect((await readFile(at('b.npy'))).subarray(10, 80).toString()).toContain("'shape': (1,)");
  });

  test('refuses other shapes, and is completed without them', async () => {
    const at = await temporaryFolder();
    const array = npyWriter(at('a.npy'));
    await array.append('one', row([2]));
    await expect(array.append('two', row([3]))).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' });
    await array.append('three', row([2]));
    await array.finish();
    expect((await readFile(at('a.npy'))).toString('latin1')).toContain("'shape': (2, 2)");
  });
});

describe('tensorsWriter', () => {
  test('writes one tensor per name; the last of a name counts', async () => {
    const at = await temporaryFolder();
    const tensors = tensorsWriter(at('model.safetensors'));
    const reused = row([2]);
    await tensors.append('a', reused);
    reused.data.fill(9);
    await tensors.append('b', row([1, 3]));
    await tensors.append('b', row([2, 2], 5));
    expect(await readdir(at())).toEqual([]);
    await tensors.finish();
    const { tensors: stored } = await openCheckpoint(at());
    expect([...stored.values()].map(({ name, shape }) => [name, shape])).toEqual([
      ['a', [2]],
      ['b', [2, 2]],
    ]);
    expect([...(await readTensor(stored.get('a')!)).data]).toEqual([0, 1]);
    expect([...(await readTensor(stored.get('b')!)).data]).toEqual([5, 6, 7, 8]);
  });

  test('can be written to another place', async () => {
    const at = await temporaryFolder();
    const paths: string[] = [];
    const tensors = tensorsWriter(async (write) => {
      paths.push(at('elsewhere.safetensors'));
      await write(at('elsewhere.safetensors'));
    });
    await tensors.append('a', row([1]));
    await tensors.finish();
    await tensors.finish();
    expect([paths.length, await readdir(at())]).toEqual([1, ['elsewhere.safetensors']]);
  });
});

describe('jsonLinesWriter', () => {
  test('writes typed arrays as lists, and numbers that are not finite as null', async () => {
    const at = await temporaryFolder();
    const lines = jsonLinesWriter(at('a.jsonl'));
    await lines.write({ name: 'line\nfeed', data: Float32Array.of(0.5, Number.NaN, Infinity) });
    await lines.write({});
    await lines.finish();
    expect(await readFile(at('a.jsonl'), 'utf8')).toBe('{"name":"line\\nfeed","data":[0.5,null,null]}\n{}\n');
    await expect(lines.write([] as never)).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' });
  });
});

describe('rowsFile', () => {
  test.each(['npy', 'safetensors', 'parquet', 'jsonl', 'NPY'])('writes .%s', async (extension) => {
    const at = await temporaryFolder();
    const file = rowsFile(at(`rows.${extension}`));
    await file.append('a', row([2, 2]));
    await file.append('b', row([2, 2], 4));
    await file.finish();
    expect(await readdir(at())).toEqual([`rows.${extension}`]);
    expect((await stat(at(`rows.${extension}`))).size).toBeGreaterThan(32);
  });

  test('Parquet and JSON lines hold names, shapes and flat values', async () => {
    const at = await temporaryFolder();
    for (const name of ['a.parquet', 'a.jsonl']) {
      const file = rowsFile(at(name));
      await file.append('x', row([2, 2]));
      await file.append('y', row([1]));
      await file.finish();
    }
    const expected = [
      { name: 'x', shape: [2, 2], data: [0, 1, 2, 3] },
      { name: 'y', shape: [1], data: [0] },
    ];
    expect(await rowsIn(at('a.parquet'))).toEqual(expected);
    const lines = (await readFile(at('a.jsonl'), 'utf8')).trimEnd().split('\n');
    expect(lines.map((line) => JSON.parse(line))).toEqual(expected);
  });

  test.each(['rows.csv', 'rows', 'rows.npy.gz', ''])('refuses %j', (name) => {
    expect(() => rowsFile(name)).toThrow(expect.objectContaining({ code: 'INVALID_ARGUMENT' }));
  });

  test.each([
    ['values that are no floats', { dims: [1], data: [1] }],
    ['axes of another size', { dims: [3], data: new Float32Array(2) }],
    ['no axes', { data: new Float32Array(1) }],
    ['nothing', undefined],
  ])('refuses %s in every format', async (_, wrong) => {
    const at = await temporaryFolder();
    for (const extension of ['npy', 'safetensors', 'parquet', 'jsonl']) {
      const file = rowsFile(at(`a.${extension}`));
      await expect(file.append('a', wrong as never)).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' });
      await file.finish();
    }
    expect(await readdir(at())).toEqual([]);
  });

  test.each(['npy', 'safetensors', 'parquet', 'jsonl'])(
    'an existing .%s file stays if the new one is discarded or has no rows',
    async (extension) => {
      const at = await temporaryFolder();
      const name = `a.${extension}`;
      await writeFile(at(name), 'before');
      const discarded = rowsFile(at(name));
      await discarded.append('a', row([1]));
      await discarded.discard();
      await rowsFile(at(name)).finish();
      expect([await readdir(at()), await readFile(at(name), 'utf8')]).toEqual([[name], 'before']);
      const written = rowsFile(at(name));
      await written.append('a', row([1]));
      await written.finish();
      expect(await readFile(at(name), 'utf8')).not.toBe('before');
    },
  );

  test.each(['npy', 'safetensors', 'parquet', 'jsonl'])('a missing folder is WRITE_FAILED: .%s', async (extension) => {
    const at = await temporaryFolder();
    const file = rowsFile(at(`none/a.${extension}`));
    const work = async (): Promise<void> => {
      await file.append('a', row([1]));
      await file.finish();
    };
    await expect(work()).rejects.toMatchObject({ code: 'WRITE_FAILED' });
  });
});

describe('a custom target', () => {
  test('gets the header first and again at the end', async () => {
    const { events, open } = memoryTarget();
    const array = npyWriter(open);
    expect(events).toEqual([]);
    await array.append('a', row([4]));
    await array.finish();
    expect(events).toEqual([128, 16, ['rewrite', 128], 'commit']);
  });

  test('is discarded if it cannot be completed', async () => {
    const { events, open } = memoryTarget();
    const failing = async (): Promise<RowTarget> => ({
      ...(await open()),
      commit: () => Promise.reject(new RangeError('full')),
    });
    for (const writer of [
      { writer: npyWriter(failing), add: (to: ReturnType<typeof npyWriter>) => to.append('a', row([1])) },
    ]) {
      await writer.add(writer.writer);
      await expect(writer.writer.finish()).rejects.toThrow('full');
    }
    const rows = parquetWriter(failing, [{ name: 'n', type: 'int32' }]);
    await rows.write([1]);
    await expect(rows.finish()).rejects.toThrow('full');
    expect(events.filter((event) => event === 'discard')).toHaveLength(2);
  });
});

describe('parquetWriter', () => {
  test('writes row groups during the run, limited by rows or by values', async () => {
    const at = await temporaryFolder();
    const rows = parquetWriter(at('many.parquet'), [
      { name: 'image', type: 'string' },
      { name: 'embedding', type: 'float[]' },
    ]);
    for (let row = 0; row < 25_000; row++) await rows.write([`image ${row}`, [row, 0.5]]);
    const [temporary] = await readdir(at());
    expect((await stat(at(temporary))).size).toBeGreaterThan(200_000);
    await rows.finish();
    const { row_groups: groups } = await metadataOf(at('many.parquet'));
    expect(groups.map(({ num_rows: count }) => Number(count))).toEqual([10_000, 10_000, 5_000]);
    const read = await rowsIn(at('many.parquet'));
    expect(read).toHaveLength(25_000);
    expect(read[24_999]).toEqual({ image: 'image 24999', embedding: [24_999, 0.5] });

    const wide = parquetWriter(at('wide.parquet'), [{ name: 'embedding', type: 'float[]' }]);
    for (let row = 0; row < 5; row++) await wide.write([Array.from({ length: 2 ** 19 }, () => row)]);
    await wide.finish();
    expect((await metadataOf(at('wide.parquet'))).row_groups.map(({ num_rows: count }) => Number(count))).toEqual([
      2, 2, 1,
    ]);
  });

  test('leaves no file when it is discarded', async () => {
    const at = await temporaryFolder();
    const rows = parquetWriter(at('out.parquet'), [{ name: 'n', type: 'int32' }]);
    for (let row = 0; row < 10_001; row++) await rows.write([row]);
    expect(await readdir(at())).toHaveLength(1);
    await rows.discard();
    expect(await readdir(at())).toEqual([]);
  });

  test.each([
    ['too few cells', ['a']],
    ['a number for a text', [1, [1]]],
    ['a number for a list', ['a', 1]],
    ['a text in a list', ['a', ['1']]],
    ['no list', undefined],
  ])('refuses %s', async (_, cells) => {
    const at = await temporaryFolder();
    const rows = parquetWriter(at('out.parquet'), [
      { name: 'text', type: 'string' },
      { name: 'list', type: 'float[]' },
    ]);
    await expect(rows.write(cells as never)).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' });
    await rows.finish();
    expect(await readdir(at())).toEqual([]);
  });

  test.each([0.5, 2 ** 31, Number.NaN])('refuses %d as an integer', async (value) => {
    const rows = parquetWriter('unused.parquet', [{ name: 'n', type: 'int32' }]);
    await expect(rows.write([value])).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' });
  });
});
