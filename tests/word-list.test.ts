import { describe, expect, test } from 'vitest';

import { readTracked, trackedFiles } from './tracked-files.ts';

const GUIDE = 'docs/style.md';
const LIST = /^<!-- word list -->\n+```\n(.*?)^```$/ms;
/** Files that must or may contain the words. */
const EXEMPT = new Set([GUIDE, 'CHANGELOG.md', 'tests/word-list.test.ts']);
const TEXT_FILE = /\.(?:md|ts|js|mjs|py|sh|yml)$|(?:^|\/)package\.json$|^\.ci\/run$/;
/** Data: compared byte by byte, or written by other programs. */
const DATA = /^(?:tools\/parity\/cases|apps\/cli\/(?:models|evaluation))\/|(?:^|\/)(?:fixtures|generated)\//;

interface Rule {
  readonly words: string;
  readonly instead: string;
  readonly pattern: RegExp;
}

/** The rules of the style guide: `words → what to write`, `*` for any letters. */
function readRules(): readonly Rule[] {
  const [, list = ''] = LIST.exec(readTracked(GUIDE)) ?? [];
  return list
    .trim()
    .split('\n')
    .map((line) => {
      const [words = '', instead = ''] = line.split(' → ');
      return { words, instead, pattern: patternOf(words) };
    });
}

function patternOf(words: string): RegExp {
  const escaped = words
    .replace(/[.+?^${}()|[\]\\]/g, '\\$&')
    .replaceAll('*', '\\w*')
    .replaceAll(' ', '\\s+');
  return new RegExp(`(?<!\\w)${escaped}(?!\\w)`, 'gi');
}

/** Prompts keep the wording that models were trained with. */
const PROMPT = /\ba picture of (?:\{\}|cat|\$&)|'a picture'/g;

/** Comments wrap: a phrase may continue after ` * ` or `// ` on the next line. */
function joinedLines(text: string): string {
  return text.replaceAll(/\n\s*(?:\*|\/\/) /g, ' ');
}

describe('the word list of the style guide', () => {
  const rules = readRules();
  const files = trackedFiles().filter((file) => TEXT_FILE.test(file) && !DATA.test(file) && !EXEMPT.has(file));
  const texts = files.map((file) => [file, joinedLines(readTracked(file).replaceAll(PROMPT, ''))] as const);

  test('has words, each with a replacement', () => {
    expect(rules.length).toBeGreaterThan(10);
    expect(rules.filter(({ words, instead }) => words === '' || instead === '')).toEqual([]);
    expect(files.length).toBeGreaterThan(500);
  });

  test.each(rules.map((rule) => [rule.words, rule] as const))('%s', (_, { pattern }) => {
    const found = texts.flatMap(([file, text]) => [...text.matchAll(pattern)].map(([match]) => `${file}: ${match}`));
    expect(found).toEqual([]);
  });

  test('finds words at the end of a line, in capitals and across lines of a comment', () => {
    const found = (words: string, text: string): number => [...joinedLines(text).matchAll(patternOf(words))].length;
    expect(found('goes on with', ' * It goes\n * on with it. Goes on with')).toBe(2);
    expect(found('*picture*', 'const showPicture = pictures;')).toBe(2);
    expect(found('hears', 'shears')).toBe(0);
  });
});
