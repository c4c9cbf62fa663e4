import { describe, expect, test } from 'vitest';

import { runFake } from '../../fixtures/fake-environment.ts';
import { temporaryFolder } from '../../fixtures/temporary-folder.ts';

describe('blip2 ask', () => {
  test('asks every question about every image, image by image: path, question, answer', async () => {
    const at = await temporaryFolder({ a: 'a cat', b: 'a dog' });
    const { exitCode, stdout } = await runFake(['ask', '-q', 'what?', at('a'), at('b'), '-q', 'where?']);
    expect(exitCode).toBe(0);
    expect(stdout).toBe(
      [
        `${at('a')}\twhat?\ta cat, what?`,
        `${at('a')}\twhere?\ta cat, where?`,
        `${at('b')}\twhat?\ta dog, what?`,
        `${at('b')}\twhere?\ta dog, where?`,
        '',
      ].join('\n'),
    );
  });

  test('--json has exactly the keys image, question, text, tokenIds, score, timings', async () => {
    const at = await temporaryFolder({ a: 'a cat' });
    const { stdout } = await runFake(['ask', '--json', '-q', 'what?', at('a')]);
    expect(Object.keys(JSON.parse(stdout))).toEqual(['image', 'question', 'text', 'tokenIds', 'score', 'timings']);
  });

  test('passes --raw-prompt to the model; the default is the template', async () => {
    const at = await temporaryFolder({ a: 'a cat' });
    const templated = await runFake(['ask', '-q', 'what?', at('a')]);
    const raw = await runFake(['ask', '--raw-prompt', '-q', 'what?', at('a')]);
    expect([templated, raw].map(({ calls }) => calls[1]?.['rawPrompt'])).toEqual([false, true]);
  });

  test('keeps the questions about one image in one batch', async () => {
    const at = await temporaryFolder({ a: 'a', b: 'b', c: 'c' });
    const { calls } = await runFake(['ask', '-q', '1', '-q', '2', at('a'), at('b'), at('c'), '--batch-size', '4']);
    expect(calls.filter(({ name }) => name === 'ask').map(({ items }) => items)).toEqual([
      [
        ['a', '1', '2'],
        ['b', '1', '2'],
      ],
      [['c', '1', '2']],
    ]);
  });

  test('resumes with the questions that an earlier run did not ask', async () => {
    const at = await temporaryFolder({ a: 'a', b: 'b' });
    const argv = ['ask', '-o', at('out.jsonl'), at('a'), at('b')];
    await runFake([...argv, '-q', '1']);
    const { calls } = await runFake([...argv, '-q', '1', '-q', '2']);
    expect(calls.filter(({ name }) => name === 'ask').map(({ items }) => items)).toEqual([
      [
        ['a', '2'],
        ['b', '2'],
      ],
    ]);
  });
});
