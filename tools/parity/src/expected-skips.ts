import { readFile } from 'node:fs/promises';

import { Blip2Error } from '@blip2/interfaces';

import type { EntryResult } from './run-entry.ts';

/** Entries that cannot run yet, each pattern with its reason. The list may only shrink. */
export interface ExpectedSkips {
  /** Whether a pattern names this entry. */
  has(entry: Pick<EntryResult, 'case' | 'name'>): boolean;
}

/**
 * Reads a list with one pattern a line, `case/name # reason`. `*` stands for any characters, slashes too; blank lines
 * and lines that
 * begin with `#` mean nothing. `INVALID_ARGUMENT` for a pattern without a reason.
 */
export function parseExpectedSkips(text: string, where: string): ExpectedSkips {
  const lines = text
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '' && !line.startsWith('#'));
  const patterns = lines.map((line) => {
    const [pattern = '', reason = ''] = line.split(' # ').map((part) => part.trim());
    if (pattern === '' || reason === '')
      throw new Blip2Error('INVALID_ARGUMENT', 'an expected skip needs a reason', {
        where,
        got: line,
        expected: '`case/name # reason`',
      });
    return toRegExp(pattern);
  });
  return { has: ({ case: caseName, name }) => patterns.some((pattern) => pattern.test(`${caseName}/${name}`)) };
}

export async function readExpectedSkips(file: string): Promise<ExpectedSkips> {
  return parseExpectedSkips(await readFile(file, 'utf8'), file);
}

/**
 * What is wrong with the results, one line each: every failure, every skip that is not expected, every expected skip
 * that passed.
 */
export function findProblems(results: readonly EntryResult[], expectedSkips?: ExpectedSkips): readonly string[] {
  return results.flatMap((result) => {
    const label = `${result.case}/${result.name}`;
    const expected = expectedSkips?.has(result) ?? false;
    if (result.status === 'failed') return [`${label} failed`];
    if (result.status === 'skipped') return expected ? [] : [`${label} was skipped`];
    return expected ? [`${label} passed, but the list of expected skips names it: take it off`] : [];
  });
}

function toRegExp(pattern: string): RegExp {
  const literal = pattern.split('*').map((part) => part.replace(/[.+?^${}()|[\]\\]/g, '\\$&'));
  return new RegExp(`^${literal.join('.*')}$`, 's');
}
