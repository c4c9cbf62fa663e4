import { readFile, stat, truncate, writeFile } from 'node:fs/promises';

import { parse } from 'csv-parse/sync';
import { describe, expect, test } from 'vitest';

import { type FakeRun, runFake } from '../fixtures/fake-environment.ts';
import { temporaryFolder } from '../fixtures/temporary-folder.ts';

const captioned = ({ calls }: FakeRun): unknown[] =>
  calls.filter(({ name }) => name === 'caption').flatMap(({ images }) => images);
const AWKWARD: Readonly<Record<string, string>> = {
  'tab\there': 'a, b',
  'line\nfeed\u2028': 'she said "no"',
  'Ünï 😀,"x"': '\r\n',
};

describe('-o FILE.csv', () => {
  test('follows RFC 4180: a header, commas, CRLF, doubled quotes', async () => {
    const at = await temporaryFolder({ a: 'a "red", cat', b: 'a dog' });
    const { exitCode, stdout } = await runFake(['caption', at('a'), at('b'), '-o', at('out.csv')]);
    expect([exitCode, stdout]).toEqual([0, '']);
    expect(await readFile(at('out.csv'), 'utf8')).toBe(
      `image,text,score\r\n${at('a')},"a ""red"", cat",-0.5\r\n${at('b')},a dog,-0.5\r\n`,
    );
  });

  test('has the columns of every command, and one row per candidate', async () => {
    const at = await temporaryFolder({ a: 'a' });
    const rowsOf = async (...argv: string[]): Promise<unknown> => {
      expect((await runFake([...argv, at('a'), '-o', at(`${argv[0]}.csv`)])).exitCode).toBe(0);
      return parse(await readFile(at(`${argv[0]}.csv`)));
    };
    expect(await rowsOf('ask', '-q', 'what?')).toEqual([
      ['image', 'question', 'text', 'score'],
      [at('a'), 'what?', 'a, what?', '-0.5'],
    ]);
    expect(await rowsOf('match', '-t', 'a', '-t', 'b')).toEqual([
      ['image', 'text', 'itm', 'itc'],
      [at('a'), 'a', '0.75', '0.5'],
      [at('a'), 'b', '0.25', '-0.5'],
    ]);
    expect(await rowsOf('rank', '-q', 'what?', '-c', 'yes', '-c', 'no')).toEqual([
      ['image', 'question', 'rank', 'candidate', 'logProb', 'logProbPerToken', 'probability'],
      [at('a'), 'what?', '1', 'yes', '-0.5', '-0.25', '0.5'],
      [at('a'), 'what?', '2', 'no', '-1.5', '-0.75', String(1 / 3)],
    ]);
  });

  test('preserves names and texts, and recognizes them on resume', async () => {
    const at = await temporaryFolder(AWKWARD);
    const argv = ['caption', ...Object.keys(AWKWARD).map(at), '-o', at('out.csv')];
    expect((await runFake(argv)).exitCode).toBe(0);
    const [, ...rows] = parse(await readFile(at('out.csv')), { record_delimiter: '\r\n' });
    expect(rows.map(([image, text]) => [image, text])).toEqual(
      Object.entries(AWKWARD).map(([name, text]) => [at(name), text]),
    );
    expect(await runFake(argv)).toMatchObject({ exitCode: 0, calls: [] });
  });

  test('resumes wherever a killed run was cut off, with the same file in the end', async () => {
    const at = await temporaryFolder(AWKWARD);
    const argv = ['caption', ...Object.keys(AWKWARD).map(at), '-o', at('out.csv')];
    await runFake(argv);
    const whole = await readFile(at('out.csv'));
    for (let length = whole.length - 1; length > 0; length -= 1) {
      await truncate(at('out.csv'), length);
      const run = await runFake([...argv, '--quiet']);
      expect({ exitCode: run.exitCode, stderr: run.stderr }, `cut off after ${length}`).toEqual({
        exitCode: 0,
        stderr: '',
      });
      expect(captioned(run).length).toBeGreaterThan(0);
      expect(await readFile(at('out.csv'), 'utf8')).toBe(whole.toString());
    }
  });

  test('recomputes a result with only some of its rows', async () => {
    const at = await temporaryFolder({ a: 'a', b: 'b' });
    const argv = ['rank', at('a'), at('b'), '-q', 'what?', '-c', 'yes', '-c', 'no', '-o', at('out.csv')];
    await runFake(argv);
    const whole = await readFile(at('out.csv'), 'utf8');
    await writeFile(at('out.csv'), whole.split('\r\n').slice(0, 4).join('\r\n') + '\r\n');
    const { calls } = await runFake(argv);
    expect(calls.find(({ name }) => name === 'rank')).toMatchObject({ items: [['b', 'what?']] });
    expect(await readFile(at('out.csv'), 'utf8')).toBe(whole);
  });

  test('leaves failed images out, reports them, and retries them', async () => {
    const at = await temporaryFolder({ a: 'bad', b: 'a dog' });
    const argv = ['caption', at('a'), at('b'), '-o', at('out.csv')];
    const first = await runFake(argv);
    expect([first.exitCode, first.stderr]).toEqual([3, expect.stringContaining('INVALID_IMAGE')]);
    await writeFile(at('a'), 'a cat');
    expect(captioned(await runFake(argv))).toEqual(['a cat']);
    expect(parse(await readFile(at('out.csv'))).map(([, text]) => text)).toEqual(['text', 'a dog', 'a cat']);
  });

  test('is not changed if it belongs to another run or was edited', async () => {
    const at = await temporaryFolder({ a: 'a', 'mine.csv': 'image,text\r\n' });
    expect(await runFake(['caption', at('a'), '-o', at('mine.csv')])).toMatchObject({ exitCode: 2, calls: [] });
    const argv = ['caption', at('a'), '-o', at('out.csv')];
    await runFake(argv);
    expect((await runFake([...argv, '--seed', '4'])).exitCode).toBe(2);
    for (const changed of [
      'image,text,score,mine\r\na,b,1,2\r\n',
      'image,text,score\r\na,b\r\n',
      'image,text,score\r\na,"b"c,1\r\n',
    ]) {
      await writeFile(at('out.csv'), changed);
      expect(await runFake(argv)).toMatchObject({
        exitCode: 2,
        calls: [],
        stderr: expect.stringContaining('--restart'),
      });
      expect(await readFile(at('out.csv'), 'utf8')).toBe(changed);
    }
    expect((await runFake([...argv, '--restart'])).exitCode).toBe(0);
    expect((await stat(at('out.csv'))).size).toBeGreaterThan(0);
  });

  test('keeps finished results when interrupted, and explains how to resume', async () => {
    const at = await temporaryFolder({ a: 'a', b: 'b' });
    let answered = 0;
    const run = await runFake(['caption', at('a'), at('b'), '--batch-size', '1', '-o', at('out.csv')], {
      onCall: ({ name }, signals) => void (name === 'caption' && ++answered === 2 && signals.emit('SIGINT')),
    });
    expect(run).toMatchObject({
      exitCode: 130,
      stderr: expect.stringContaining('Run the same command again to resume.'),
    });
    expect(parse(await readFile(at('out.csv')))).toHaveLength(2);
  });
});
