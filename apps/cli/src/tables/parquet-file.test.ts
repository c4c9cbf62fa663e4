import { readdir, readFile, stat } from 'node:fs/promises';

import { asyncBufferFromFile, type FileMetaData, parquetMetadataAsync, parquetReadObjects } from 'hyparquet';
import { describe, expect, test } from 'vitest';

import { runFake } from '../fixtures/fake-environment.ts';
import { temporaryFolder } from '../fixtures/temporary-folder.ts';
import { parquetWriter } from './parquet-file.ts';

const rowsIn = async (file: string): Promise<Record<string, unknown>[]> =>
  parquetReadObjects({ file: await asyncBufferFromFile(file) });
const metadataOf = async (file: string): Promise<FileMetaData> => parquetMetadataAsync(await asyncBufferFromFile(file));

describe('-o FILE.parquet', () => {
  test('has the columns of every command', async () => {
    const at = await temporaryFolder({ a: 'a' });
    const written = async (...argv: string[]): Promise<unknown> => {
      const { exitCode, stdout } = await runFake([...argv, at('a'), '-o', at('out.parquet')]);
      expect([exitCode, stdout]).toEqual([0, '']);
      return rowsIn(at('out.parquet'));
    };
    expect(await written('caption')).toEqual([{ image: at('a'), text: 'a', tokenIds: [1, 2], score: -0.5 }]);
    expect(await written('ask', '-q', 'what?')).toEqual([
      { image: at('a'), question: 'what?', text: 'a, what?', tokenIds: [8, 2], score: -0.5 },
    ]);
    expect(await written('match', '-t', 'a')).toEqual([{ image: at('a'), text: 'a', itm: 0.75, itc: 0.5 }]);
    expect(await written('rank', '-q', 'what?', '-c', 'yes', '-c', 'no')).toEqual([
      {
        image: at('a'),
        question: 'what?',
        rank: 1,
        candidate: 'yes',
        logProb: -0.5,
        logProbPerToken: -0.25,
        probability: 0.5,
      },
      {
        image: at('a'),
        question: 'what?',
        rank: 2,
        candidate: 'no',
        logProb: -1.5,
        logProbPerToken: -0.75,
        probability: 1 / 3,
      },
    ]);
    expect(await readdir(at())).toEqual(['a', 'out.parquet']);
  });

  test('preserves names and texts', async () => {
    const files = { 'tab\there': 'a\tb', 'line\nfeed': 'she said "no"', 'Ünï 😀\u2028': '\u0000' };
    const at = await temporaryFolder(files);
    await runFake(['caption', ...Object.keys(files).map(at), '-o', at('out.parquet')]);
    expect((await rowsIn(at('out.parquet'))).map(({ image, text }) => [image, text])).toEqual(
      Object.entries(files).map(([name, text]) => [at(name), text]),
    );
  });

  test('leaves failed images out, and creates no file if all fail', async () => {
    const at = await temporaryFolder({ a: 'bad', b: 'b' });
    expect((await runFake(['caption', at('a'), '-o', at('out.parquet')])).exitCode).toBe(3);
    expect(await readdir(at())).toEqual(['a', 'b']);
    expect((await runFake(['caption', at('a'), at('b'), '-o', at('out.parquet')])).exitCode).toBe(3);
    expect(await rowsIn(at('out.parquet'))).toHaveLength(1);
  });

  test('is unchanged if the run fails, and has the finished results if it is interrupted', async () => {
    const at = await temporaryFolder({ a: 'a', b: 'b' });
    const argv = ['caption', at('a'), at('b'), '--batch-size', '1', '-o', at('out.parquet')];
    await runFake(argv);
    const before = await readFile(at('out.parquet'));
    let calls = 0;
    const failed = await runFake(argv, {
      onCall: ({ name }) => {
        if (name === 'caption' && ++calls === 2) throw new RangeError('out of luck');
      },
    });
    expect(failed.exitCode).toBe(1);
    expect(await readFile(at('out.parquet'))).toEqual(before);
    let answered = 0;
    const interrupted = await runFake(argv, {
      onCall: ({ name }, signals) => void (name === 'caption' && ++answered === 2 && signals.emit('SIGINT')),
    });
    expect(interrupted).toMatchObject({ exitCode: 130, stderr: expect.not.stringContaining('to resume') });
    expect((await rowsIn(at('out.parquet'))).map(({ text }) => text)).toEqual(['a']);
    expect(await readdir(at())).toEqual(['a', 'b', 'out.parquet']);
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
});
