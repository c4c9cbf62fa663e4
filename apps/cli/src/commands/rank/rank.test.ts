import { describe, expect, test } from 'vitest';

import { runFake } from '../../fixtures/fake-environment.ts';
import { temporaryFolder } from '../../fixtures/temporary-folder.ts';

describe('blip2 rank', () => {
  test('writes path, question, then candidate and probability, best first, for every image and question', async () => {
    const at = await temporaryFolder({ a: 'a cat', b: 'a dog' });
    const { exitCode, stdout, calls } = await runFake([
      'rank',
      at('a'),
      at('b'),
      '-q',
      'what?',
      '-q',
      'where?',
      '-c',
      'yes',
      '-c',
      'no',
    ]);
    expect(exitCode).toBe(0);
    expect(stdout).toBe(
      ['a', 'b']
        .flatMap((name) => ['what?', 'where?'].map((question) => `${at(name)}\t${question}\tyes\t0.5000\tno\t0.3333\n`))
        .join(''),
    );
    expect(calls[1]).toEqual({
      name: 'rank',
      items: [
        ['a cat', 'what?', 'where?'],
        ['a dog', 'what?', 'where?'],
      ],
      candidates: ['yes', 'no'],
      rawPrompt: false,
      perToken: false,
    });
  });

  test('--json has exactly the keys image, question, candidates', async () => {
    const at = await temporaryFolder({ a: 'a cat' });
    const { stdout } = await runFake(['rank', '--json', '-q', 'what?', '-c', 'yes', '-c', 'no', at('a')]);
    expect(JSON.parse(stdout)).toEqual({
      image: at('a'),
      question: 'what?',
      candidates: [
        { text: 'yes', logProb: -0.5, logProbPerToken: -0.25, probability: 0.5 },
        { text: 'no', logProb: -1.5, logProbPerToken: -0.75, probability: 1 / 3 },
      ],
    });
    expect(Object.keys(JSON.parse(stdout))).toEqual(['image', 'question', 'candidates']);
  });

  test('trims candidates and passes equal ones once', async () => {
    const at = await temporaryFolder({ a: 'a cat' });
    const argv = [
      'rank',
      at('a'),
      '-q',
      'what?\r',
      '-c',
      'triangle\r',
      '-c',
      'triangle',
      '-c',
      ' no ',
      '-o',
      at('o.csv'),
    ];
    const run = await runFake(argv);
    expect(run.calls.find(({ name }) => name === 'rank')).toMatchObject({
      candidates: ['triangle', 'no'],
      items: [['a cat', 'what?']],
    });
    expect(await runFake(argv)).toMatchObject({ exitCode: 0, calls: [] });
  });

  test('passes --raw-prompt and --per-token to the model', async () => {
    const at = await temporaryFolder({ a: 'a cat' });
    const { calls } = await runFake(['rank', '--raw-prompt', '--per-token', '-q', 'what?', '-c', 'yes', at('a')]);
    expect(calls[1]).toMatchObject({ rawPrompt: true, perToken: true });
  });

  test('needs a question and candidates, none of them empty', async () => {
    const at = await temporaryFolder({ a: 'a' });
    for (const argv of [
      ['-q', 'what?'],
      ['-c', 'yes'],
      ['-q', ' ', '-c', 'yes'],
      ['-q', 'what?', '-c', ''],
    ]) {
      const { exitCode, calls } = await runFake(['rank', at('a'), ...argv]);
      expect([exitCode, calls]).toEqual([2, []]);
    }
  });

  test('does not resume a file of other candidates', async () => {
    const at = await temporaryFolder({ a: 'a' });
    const argv = ['rank', at('a'), '-q', 'what?', '-o', at('out.jsonl'), '-c', 'yes'];
    expect((await runFake(argv)).exitCode).toBe(0);
    expect((await runFake([...argv, '-c', 'no'])).exitCode).toBe(2);
  });
});
