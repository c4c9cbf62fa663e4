import { expect, test } from 'vitest';

import { compilePattern, patternBudget } from './pattern.ts';

const matches = (pattern: string, text: string): boolean => compilePattern(pattern, 'test').matches(text);

test.each([
  [String.raw`.*\.(?:q_proj|v_proj)`, ['a.q_proj', 'b.c.v_proj'], ['q_proj', 'a.k_proj', 'a.q_proj.x']],
  [String.raw`(.*\.)?(^model\.layers\.1\.up)$`, ['model.layers.1.up'], ['x.model.layers.1.up']],
  [String.raw`^(?!.*vision).*\d{1,2}\..+?proj`, ['text.12.q_proj'], ['vision.12.q_proj', 'text.123proj']],
  [String.raw`(?=.*lm)[a-z_.]+`, ['a.lm_head'], ['a.head', 'lm.1']],
  [String.raw`\bfc1\b|[^a-c]x[\d_]+`, ['fc1', 'dx1_2'], ['afc1', 'ax1', 'dx']],
  [String.raw`a{2}b{1,}c{,2}d?`, ['aab', 'aabbccd'], ['ab', 'aabccc', 'aa']],
  ['(?P<name>a|b)*', ['', 'abba'], ['abc']],
  ['(a|)+b', ['b', 'aab'], ['a']],
  [String.raw`[]a-]+[\]\-.]`, ['a]-.', ']]'], ['b.', '.']],
  ['a{x}', ['a{x}'], ['a']],
  ['é.', ['éx', 'é😀'], ['e.']],
])('%s', (pattern, yes, no) => {
  for (const text of yes) expect([text, matches(pattern, text)]).toEqual([text, true]);
  for (const text of no) expect([text, matches(pattern, text)]).toEqual([text, false]);
});

test.each([
  ['(a)\\1', 'not supported'],
  ['(?<=a)b', 'kind of group'],
  ['(?i)a', 'kind of group'],
  ['a++', 'possessive'],
  ['a**', 'follows a repetition'],
  ['*a', 'nothing to repeat'],
  ['(a', 'not closed'],
  ['a)', 'not opened'],
  ['[a', 'not closed'],
  ['[z-a]', 'range'],
  ['a{3,2}', 'wrong order'],
  ['a\\', 'backslash'],
  ['a{9999}', 'more than 1000'],
  ['(((a{900}){900}){900})', 'too large'],
  ['('.repeat(100), 'too deeply'],
  ['a'.repeat(20_000), 'characters'],
  ['^*', 'position'],
])('%s is refused', (pattern, rule) => {
  expect(() => compilePattern(pattern, 'target_modules')).toThrow(
    expect.objectContaining({ code: 'INVALID_CONFIG', message: expect.stringContaining(rule) as string }) as Error,
  );
});

test('patterns that an engine with backtracking would need years for are quick', () => {
  const text = `${'a'.repeat(500)}!`;
  for (const pattern of ['(a+)+b', '(a|a)*b', '(.*)*(.*)*x', '(?=(a+)+b)a*', '(a?){30}a{30}b'])
    expect(matches(pattern, text)).toBe(false);
});

test('the work of all patterns of an adapter is limited', () => {
  const budget = patternBudget();
  const pattern = compilePattern('(.*a){400}', 'target_modules', budget);
  const search = (): void => {
    for (let i = 0; i < 1000; i++) pattern.matches('a'.repeat(1000));
  };
  expect(search).toThrow(/takes too long/);
});
