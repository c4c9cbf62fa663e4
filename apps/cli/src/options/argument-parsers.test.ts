import { expect, test } from 'vitest';

import { runFake } from '../fixtures/fake-environment.ts';
import { temporaryFolder } from '../fixtures/temporary-folder.ts';
import { threadsUpTo } from './argument-parsers.ts';

test.each([
  ['caption --threads 100000', 'Expected at most'],
  ['caption --batch-size 1025', 'Expected at most 1024'],
  ['caption --num-beams 10000', 'Expected at most 256'],
  ['caption --max-new-tokens 1000000', 'Expected at most 100000'],
  ['caption --min-new-tokens 1000000', 'Expected at most 100000'],
  ['chat --num-beams 257', 'Expected at most 256'],
  ['heatmap -t a -o out.png --cells 225', 'Expected at most 224'],
  ['heatmap -t a -o out.png --batch-size 100000', 'Expected at most 1024'],
  ['embed -o out.npy --shard-size 10000001', 'Expected at most 10000000'],
  ['compare model --max-new-tokens 1000000', 'Expected at most 100000'],
  ['bench ./nowhere --rounds 10001', 'Expected at most 10000'],
  ['bench ./nowhere --new-tokens 1000000', 'Expected at most 100000'],
  ['bench ./nowhere --threads 100000', 'Expected at most'],
  ['caption --threads encoder=2,decode=100000', 'Expected at most'],
])('%s is refused: such a run would not end', async (line, message) => {
  const at = await temporaryFolder({ a: 'a cat' });
  const [command = '', ...options] = line.split(' ');
  const run = await runFake([command, ...(command === 'bench' ? [] : [at('a')]), ...options]);
  expect(run).toMatchObject({ exitCode: 2, stdout: '', calls: [] });
  expect(run.stderr).toMatch(/^INVALID_ARGUMENT: Option/);
  expect(run.stderr).toContain(message);
});

test('numbers of threads', () => {
  const parse = threadsUpTo(64);
  expect(parse('3')).toBe(3);
  expect(parse('encoder=4, prompt=3,decode=2')).toEqual({ encoder: 4, prompt: 3, decode: 2 });
  expect(parse('decode=2,fewRows=128')).toEqual({ decode: 2, fewRows: 128 });
  for (const text of [
    '0',
    '-1',
    '1.5',
    '',
    'x',
    'decode',
    'decode=',
    'decode=0',
    'vision=2',
    'decode=1,decode=1',
    '65',
  ])
    expect(() => parse(text), text).toThrow(/^Expected/);
});
