import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { EXAMPLE_IMAGE, writeWideCheckpoint } from '../wide-checkpoint.ts';
import type { KillScenario } from './kill-scenario.ts';

/** The first use of a model in `int8`, which converts its weights. */
export const conversionScenario: KillScenario = {
  name: 'conversion',
  promise: 'After kills a conversion is complete, gives the results of an undisturbed one, and no other file stays.',
  open: async () => {
    const folder = await mkdtemp(join(tmpdir(), 'blip2-kills-'));
    const [model, cache, output] = [join(folder, 'model'), join(folder, 'cache'), join(folder, 'output.json')];
    await writeWideCheckpoint(model);
    let expected: string | undefined;
    const listing = async (): Promise<string> => {
      const entries = await readdir(cache, { recursive: true, withFileTypes: true });
      const names = entries.filter((entry) => entry.isFile()).map(({ name }) => name);
      return JSON.stringify({ output: await readFile(output, 'utf8'), names: names.toSorted() });
    };
    return {
      command: [process.execPath, join(import.meta.dirname, 'conversion-job.js'), model, EXAMPLE_IMAGE, output],
      env: { BLIP2_CACHE: cache },
      reset: async () => {
        await rm(cache, { recursive: true, force: true });
        await writeFile(output, '');
      },
      verify: async () => {
        const got = await listing();
        expected ??= got;
        return got === expected ? undefined : `got ${got}, expected ${expected}`;
      },
      [Symbol.asyncDispose]: () => rm(folder, { recursive: true, force: true }),
    };
  },
};
