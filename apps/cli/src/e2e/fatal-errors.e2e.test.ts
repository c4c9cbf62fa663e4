import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { describe, expect, test } from 'vitest';

import { repository, spawnBlip2 } from '../fixtures/spawn-blip2.ts';
import { temporaryFolder } from '../fixtures/temporary-folder.ts';

const IMAGE = join(repository, 'examples/small-one.png');

describe.each([0, 100, 400])('code of a module that runs %i ms after it was loaded', (delay) => {
  test.each([
    ['throw new RangeError("out of luck")', 1, /UNEXPECTED: out of luck/],
    ['Promise.reject(new RangeError("out of luck"))', 1, /UNEXPECTED: out of luck/],
    ['process.exit(7)', 7, /^/],
    ['try { process.exit(7) } catch {}', 7, /^/],
  ])('ends the process with its code, never by a signal: %s', async (statement, exitCode, stderr) => {
    const at = await temporaryFolder({ 'm.mjs': `setTimeout(() => { ${statement} }, ${delay}); export default {};` });
    await writeFile(at('many.txt'), `${IMAGE}\n`.repeat(2000));
    const argv = ['caption', '--quiet', '--batch-size', '64', '--module', at('m.mjs'), `@${at('many.txt')}`];
    const run = await spawnBlip2([...argv, '-o', at('out.tsv')]);
    expect([run.exitCode, run.signal]).toEqual([exitCode, null]);
    expect(run.stderr).toMatch(stderr);
  });
});
