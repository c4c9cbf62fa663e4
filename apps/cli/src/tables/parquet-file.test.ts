import { readdir, readFile } from 'node:fs/promises';

import { asyncBufferFromFile, parquetReadObjects } from 'hyparquet';
import { describe, expect, test } from 'vitest';

import { runFake } from '../fixtures/fake-environment.ts';
import { temporaryFolder } from '../fixtures/temporary-folder.ts';

const rowsIn = async (file: string): Promise<Record<string, unknown>[]> =>
  parquetReadObjects({ file: await asyncBufferFromFile(file) });

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
