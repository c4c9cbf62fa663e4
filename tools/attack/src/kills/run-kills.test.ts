import { appendFile, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { expect, test } from 'vitest';

import type { KillScenario } from './kill-scenario.ts';
import { runKills } from './run-kills.ts';
import { seededRandom } from './seeded-random.ts';

/** Appends ten numbers to a file, slowly; `resumes` continues after the last one. */
function counting(resumes: boolean): KillScenario {
  const program = `
    const fs = require('node:fs');
    const file = process.argv[1];
    const from = ${resumes} ? fs.readFileSync(file, 'utf8').length : 0;
    (async () => {
      for (let at = from; at < 10; at++) {
        fs.appendFileSync(file, String(at));
        await new Promise((done) => setTimeout(done, 20));
      }
    })();`;
  return {
    name: 'counting',
    promise: 'every number once',
    open: async () => {
      const folder = await mkdtemp(join(tmpdir(), 'blip2-kills-test-'));
      const file = join(folder, 'numbers');
      await appendFile(file, '');
      return {
        command: [process.execPath, '-e', program, file],
        reset: () => writeFile(file, ''),
        verify: async () => {
          const text = await readFile(file, 'utf8');
          return text === '0123456789' ? undefined : text;
        },
        [Symbol.asyncDispose]: () => rm(folder, { recursive: true }),
      };
    },
  };
}

test('a job that resumes holds', async () => {
  const result = await runKills(counting(true), { kills: 6, random: seededRandom(1) });
  expect(result).toMatchObject({ kills: 6, broken: undefined });
});

test('a job that starts over is broken', async () => {
  const { broken } = await runKills(counting(false), { kills: 6, random: seededRandom(1) });
  expect(broken).toMatch(/^0.*0123456789$/);
});
