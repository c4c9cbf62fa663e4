import { Blip2Error } from '@blip2/interfaces';

import type { ExampleProblem, FoundExamples } from './training-example.ts';

/** Number of problems that a message lists. */
const LISTED = 5;

/** Counts problems by kind: `2 broken lines, 1 missing image`. */
export function countProblems(problems: readonly ExampleProblem[]): string {
  const counts = new Map<string, number>();
  for (const { fault } of problems) counts.set(fault, (counts.get(fault) ?? 0) + 1);
  return [...counts].map(([fault, count]) => `${count} ${count === 1 ? fault : plural(fault)}`).join(', ');
}

/** The first problems, with where they are. */
export function listProblems(problems: readonly ExampleProblem[]): string {
  const shown = problems.slice(0, LISTED).map(({ where, fault, got }) => `${where}: ${fault} (${got})`);
  const others = problems.length - shown.length;
  return [...shown, ...(others > 0 ? [`and ${others} more`] : [])].join('; ');
}

/**
 * Checks that there are examples, and none that cannot be used.
 * @throws Blip2Error `INVALID_ARGUMENT` with the number and the first places of the problems, unless they are skipped.
 */
export function expectUsable({ examples, problems }: FoundExamples, skipBad: boolean, where: string): void {
  if (problems.length > 0 && !skipBad)
    throw new Blip2Error(
      'INVALID_ARGUMENT',
      `${problems.length} of ${problems.length + examples.length} examples cannot be used: ${countProblems(problems)}`,
      { where: listProblems(problems), fix: 'Correct them, or pass skipBad (--skip-bad) to train on the others' },
    );
  if (examples.length > 0) return;
  throw new Blip2Error('INVALID_ARGUMENT', 'There is no example to train on', {
    where,
    expected: 'lines such as {"image": "a.jpg", "caption": "a dog"}',
    ...(problems.length > 0 && { got: countProblems(problems) }),
  });
}

function plural(fault: string): string {
  if (fault === 'too long') return fault;
  return fault.replace(/(caption|question|answer|line|image)$/, '$1s');
}
