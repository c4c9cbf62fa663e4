import { describe, expect, test } from 'vitest';

import { findProblems, parseExpectedSkips } from './expected-skips.ts';
import type { EntryResult } from './run-entry.ts';

const result = (name: string, status: EntryResult['status']): EntryResult => ({
  case: 'opt',
  name,
  kind: 'generate',
  status,
  elements: 1,
  largest: 0,
  largestRatio: 0,
  threw: false,
  tolerance: { atol: 0, rtol: 0 },
});

describe('expected skips', () => {
  const skips = parseExpectedSkips('# a comment\n\nopt/generate/beams* # beams come later\nopt/a.b # why\n', 'list');

  test('matches names, with * for anything', () => {
    expect(skips.has({ case: 'opt', name: 'generate/beams3/deep' })).toBe(true);
    expect(skips.has({ case: 't5', name: 'generate/beams3' })).toBe(false);
    expect(skips.has({ case: 'opt', name: 'axb' })).toBe(false);
  });

  test('needs a reason for each pattern', () => {
    expect(() => parseExpectedSkips('opt/x', 'list')).toThrow(/needs a reason/);
  });

  test('lets expected skips and other passes through', () => {
    expect(findProblems([result('generate/beams3', 'skipped'), result('forward', 'passed')], skips)).toEqual([]);
  });

  test('reports a pass of an expected skip, an unexpected skip, and every failure', () => {
    const problems = findProblems(
      [result('generate/beams3', 'passed'), result('forward', 'skipped'), result('a.b', 'failed')],
      skips,
    );
    expect(problems).toEqual([expect.stringMatching('take it off'), 'opt/forward was skipped', 'opt/a.b failed']);
  });

  test('expects no skip without a list', () => {
    expect(findProblems([result('generate/beams3', 'skipped')])).toEqual(['opt/generate/beams3 was skipped']);
  });
});
