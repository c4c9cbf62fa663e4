import { readFile } from 'node:fs/promises';

import { describe, expect, test } from 'vitest';

import { runFake } from '../../fixtures/fake-environment.ts';
import { temporaryFolder } from '../../fixtures/temporary-folder.ts';
import { demoRetrievalFolder } from '../../model/demo-model.ts';

describe('blip2 match', () => {
  test('compares every image with every text: path, text, probability, cosine', async () => {
    const at = await temporaryFolder({ a: 'a cat', b: 'a dog' });
    const { exitCode, stdout } = await runFake(['match', at('a'), at('b'), '-t', 'a cat', '-t', 'a dog']);
    expect(exitCode).toBe(0);
    expect(stdout).toBe(
      [
        `${at('a')}\ta cat\t0.7500\t0.5000`,
        `${at('a')}\ta dog\t0.2500\t-0.5000`,
        `${at('b')}\ta cat\t0.2500\t-0.5000`,
        `${at('b')}\ta dog\t0.7500\t0.5000`,
        '',
      ].join('\n'),
    );
  });

  test('--json has exactly the keys image, text, itm, itc', async () => {
    const at = await temporaryFolder({ a: 'a cat' });
    const { stdout } = await runFake(['match', '--json', '-t', 'a cat', at('a')]);
    expect(JSON.parse(stdout)).toEqual({ image: at('a'), text: 'a cat', itm: 0.75, itc: 0.5 });
    expect(Object.keys(JSON.parse(stdout))).toEqual(['image', 'text', 'itm', 'itc']);
  });

  test('defaults to the retrieval demo, with a notice', async () => {
    const at = await temporaryFolder({ a: 'a' });
    const demo = await runFake(['match', at('a'), '-t', 'a']);
    expect(demo.calls[0]?.['source']).toBe(demoRetrievalFolder);
    expect(demo.stderr).toContain('demo checkpoint');
    const own = await runFake(['match', at('a'), '-t', 'a', '-m', 'own']);
    expect([own.calls[0]?.['source'], own.stderr]).toEqual(['own', '']);
  });

  test('needs a non-empty text', async () => {
    const at = await temporaryFolder({ a: 'a' });
    for (const argv of [
      ['match', at('a')],
      ['match', at('a'), '-t', ' '],
    ]) {
      const { exitCode, calls } = await runFake(argv);
      expect([exitCode, calls]).toEqual([2, []]);
    }
  });

  test('resumes with the texts that an earlier run did not compare', async () => {
    const at = await temporaryFolder({ a: 'a', b: 'b' });
    const argv = ['match', '-o', at('out.jsonl'), at('a'), at('b')];
    await runFake([...argv, '-t', '1']);
    const { calls } = await runFake([...argv, '-t', '1', '-t', '2']);
    expect(calls.filter(({ name }) => name === 'match').map(({ items }) => items)).toEqual([
      [
        ['a', '2'],
        ['b', '2'],
      ],
    ]);
    expect((await readFile(at('out.jsonl'), 'utf8')).trimEnd().split('\n')).toHaveLength(4);
  });
});
