import { readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';

import { asyncBufferFromFile, parquetReadObjects } from 'hyparquet';
import { describe, expect, test } from 'vitest';

import { type FakeRun, runFake } from '../../fixtures/fake-environment.ts';
import { temporaryFolder } from '../../fixtures/temporary-folder.ts';

/**
 * As embedding-reader, which autofaiss reads through, finds shape and values: the first line of the file, of at most
 * 300 bytes.
 */
async function readVectors(file: string): Promise<number[][]> {
  const bytes = await readFile(file);
  const end = bytes.indexOf('\n') + 1;
  expect(end).toBeLessThanOrEqual(300);
  const header = bytes.subarray(0, end).toString('latin1');
  const [, rows, size] = /'shape': \(([0-9]+), ([0-9]+)\)/.exec(header)!.map(Number);
  expect(/'descr': '([<f0-9]+)'/.exec(header)?.[1]).toBe('<f4');
  expect(bytes.length).toBe(end + 4 * rows! * size!);
  return Array.from({ length: rows! }, (_, row) =>
    Array.from({ length: size! }, (__, column) => bytes.readFloatLE(end + 4 * (row * size! + column))),
  );
}
const metadataIn = async (file: string): Promise<unknown[]> =>
  parquetReadObjects({ file: await asyncBufferFromFile(file) });
const embedded = ({ calls }: FakeRun): unknown[] =>
  calls.filter(({ name }) => name === 'embed').flatMap(({ images }) => images);
const IMAGES = { '1': 'a', '2': 'bb', '3': 'ccc', '4': 'dddd', '5': 'eeeee' };

async function folderOf(...options: string[]): Promise<{ at: (name?: string) => string; argv: string[] }> {
  const at = await temporaryFolder(IMAGES);
  return {
    at,
    argv: [
      'embed',
      ...Object.keys(IMAGES).map(at),
      '-o',
      at('out'),
      '--format',
      'clip-retrieval',
      '--batch-size',
      '1',
      '--quiet',
      ...options,
    ],
  };
}

describe('--format clip-retrieval', () => {
  test('writes vectors of length 1, and their images row by row', async () => {
    const { at, argv } = await folderOf();
    expect(await runFake(argv)).toMatchObject({ exitCode: 0, stdout: '', stderr: '' });
    expect((await readdir(at('out'))).sort()).toEqual(['embeddings.run.json', 'img_emb', 'metadata']);
    expect([await readdir(at('out/img_emb')), await readdir(at('out/metadata'))]).toEqual([
      ['img_emb_0.npy'],
      ['metadata_0.parquet'],
    ]);
    const vectors = await readVectors(at('out/img_emb/img_emb_0.npy'));
    expect(vectors.map((vector) => vector.map((value) => value.toFixed(5)))).toEqual(
      [1, 2, 3, 4, 5].map((length) => {
        const mean = [length + 0.5, 0.375];
        return mean.map((value) => (value / Math.hypot(...mean)).toFixed(5));
      }),
    );
    expect(await metadataIn(at('out/metadata/metadata_0.parquet'))).toEqual(
      Object.keys(IMAGES).map((name) => ({ image_path: at(name) })),
    );
  });

  test('writes texts as text_emb with their captions', async () => {
    const at = await temporaryFolder();
    expect(
      (await runFake(['embed', '-t', 'cat', '-t', 'line\nfeed', '-o', at('out/'), '--format', 'clip-retrieval']))
        .exitCode,
    ).toBe(0);
    expect(await readVectors(at('out/text_emb/text_emb_0.npy'))).toHaveLength(2);
    expect(await metadataIn(at('out/metadata/metadata_0.parquet'))).toEqual([
      { caption: 'cat' },
      { caption: 'line\nfeed' },
    ]);
  });

  test('starts a new file after --shard-size vectors, and leaves failed images out of both files', async () => {
    const { at, argv } = await folderOf('--shard-size', '2');
    await writeFile(at('2'), 'bad');
    expect((await runFake(argv)).exitCode).toBe(3);
    const shards = await Promise.all(
      [0, 1].map(async (n) => [
        (await readVectors(at(`out/img_emb/img_emb_${n}.npy`))).length,
        await metadataIn(at(`out/metadata/metadata_${n}.parquet`)),
      ]),
    );
    expect(shards).toEqual([
      [2, [{ image_path: at('1') }, { image_path: at('3') }]],
      [2, [{ image_path: at('4') }, { image_path: at('5') }]],
    ]);
  });

  test('resumes after an interrupted run in a new file', async () => {
    const { at, argv } = await folderOf('--shard-size', '2');
    let answered = 0;
    const first = await runFake(argv, {
      onCall: ({ name }, signals) => void (name === 'embed' && ++answered === 4 && signals.emit('SIGINT')),
    });
    expect(first.exitCode).toBe(130);
    expect(await readdir(at('out/img_emb'))).toEqual(['img_emb_0.npy', 'img_emb_1.npy']);
    const again = await runFake(argv);
    expect([again.exitCode, embedded(again)]).toEqual([0, ['dddd', 'eeeee']]);
    const paths = await Promise.all([0, 1, 2].map((n) => metadataIn(at(`out/metadata/metadata_${n}.parquet`))));
    expect(paths.flat()).toEqual(Object.keys(IMAGES).map((name) => ({ image_path: at(name) })));
    expect(await runFake(argv)).toMatchObject({ exitCode: 0, calls: [] });
  });

  test('rewrites a file without its counterpart, which a killed run leaves', async () => {
    const { at, argv } = await folderOf('--shard-size', '2');
    await runFake(argv);
    await rm(at('out/metadata/metadata_1.parquet'));
    await writeFile(at('out/metadata/metadata_2.parquet'), 'PAR1 torn');
    const again = await runFake(argv);
    expect([again.exitCode, embedded(again)]).toEqual([0, ['ccc', 'dddd', 'eeeee']]);
    const names = await readdir(at('out/img_emb'));
    expect(await readdir(at('out/metadata'))).toEqual(
      names.map((name) => name.replace('img_emb', 'metadata').replace('npy', 'parquet')),
    );
    const paths = await Promise.all(
      names.map((name) => metadataIn(at(`out/metadata/metadata_${/\d+/.exec(name)![0]}.parquet`))),
    );
    expect(paths.flat()).toHaveLength(5);
  });

  test('keeps the vectors before a failure', async () => {
    const { at, argv } = await folderOf();
    let answered = 0;
    const failed = await runFake(argv, {
      onCall: ({ name }) => {
        if (name === 'embed' && ++answered === 4) throw new RangeError('out of luck');
      },
    });
    expect(failed.exitCode).toBe(1);
    expect(await readVectors(at('out/img_emb/img_emb_0.npy'))).toHaveLength(3);
    expect(embedded(await runFake(argv))).toEqual(['dddd', 'eeeee']);
  });

  test('does not change the folder of another run or tool without --restart, and then only its own files', async () => {
    const { at, argv } = await folderOf();
    await runFake(argv);
    const before = await readFile(at('out/img_emb/img_emb_0.npy'));
    expect(await runFake([...argv, '--pool', 'first'])).toMatchObject({
      exitCode: 2,
      calls: [],
      stderr: expect.stringContaining('options.pool was "unit-mean", is "first"'),
    });
    await rm(at('out/embeddings.run.json'));
    await rm(at('out/metadata/metadata_0.parquet'));
    expect(await runFake(argv)).toMatchObject({ exitCode: 2, calls: [] });
    expect(await runFake(['embed', '-t', 'x', '-o', at('out'), '--format', 'clip-retrieval'])).toMatchObject({
      exitCode: 2,
      calls: [],
    });
    expect(await readFile(at('out/img_emb/img_emb_0.npy'))).toEqual(before);
    await writeFile(at('out/img_emb/mine.npy'), 'mine');
    expect((await runFake([...argv, '--pool', 'first', '--restart'])).exitCode).toBe(0);
    expect((await readVectors(at('out/img_emb/img_emb_0.npy')))[0]).toEqual([1, 0.5]);
    expect((await stat(at('out/img_emb/mine.npy'))).size).toBe(4);
  });

  test('rejects pairs, several vectors per input, a file, and a missing folder', async () => {
    const { at, argv } = await folderOf();
    const format = ['--format', 'clip-retrieval'];
    for (const wrong of [
      [...argv, '-t', 'x'],
      [...argv, '--pool', 'none'],
      ['embed', at('1'), '-o', at('1'), ...format],
      ['embed', at('1'), '--json', ...format],
      ['embed', at('1'), '-o', at('2'), ...format],
      [...argv, '--shard-size', '0'],
    ]) {
      expect(await runFake(wrong), wrong.join(' ')).toMatchObject({ exitCode: 2, calls: [] });
    }
    expect(await runFake(['embed', at('1'), '-o', at('no/such/folder'), ...format])).toMatchObject({
      exitCode: 1,
      calls: [],
    });
    expect(await readdir(at())).toEqual(Object.keys(IMAGES));
  });
});
