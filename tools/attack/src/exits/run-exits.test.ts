import { expect, test } from 'vitest';

import { EXIT_SCENARIOS, type ExitScenario, LOUD_ERROR } from './exit-scenario.ts';
import { runExits } from './run-exits.ts';

const scenario = (changes: Partial<ExitScenario> = {}): ExitScenario => {
  const [first] = EXIT_SCENARIOS;
  if (!first) throw new TypeError('there are no scenarios');
  return { ...first, ...changes };
};
/** A program that runs no model. */
const PROGRAM = `
  const [place, way] = process.argv.slice(-3);
  if (way === 'exit') process.exit(7);
  throw new Error(${JSON.stringify(LOUD_ERROR)});`;
const once = (one: ExitScenario, program = PROGRAM): ReturnType<typeof runExits> =>
  runExits(one, { runs: 1, maxLeftMs: 200, random: () => 0, args: ['-e', program, '--'] });

test('there is a scenario for every way and place', () => {
  expect(new Set(EXIT_SCENARIOS.map(({ way, place }) => `${way} ${place}`)).size).toBe(9);
});

test('a program that ends with its code holds', async () => {
  expect(await once(scenario())).toMatchObject({ runs: 1, broken: undefined });
});

test.each<[string, Partial<ExitScenario>, string, RegExp]>([
  ['another code', { exitCode: 3 }, PROGRAM, /^ended with 7 instead of 3 after 0 ms/],
  ['a signal', {}, `process.abort()`, /^ended by SIGABRT after 0 ms/],
  ['an error that is not shown', { way: 'exception', exitCode: 1 }, 'process.exit(1)', /^the error was not shown/],
  [
    'a process that stays',
    {},
    `require('node:child_process').spawn('sleep', ['2'], { detached: true, stdio: 'ignore' }).unref(); ${PROGRAM}`,
    /^a process stayed/,
  ],
])('%s is broken', async (_, changes, program, broken) => {
  expect((await once(scenario(changes), program)).broken).toMatch(broken);
});
