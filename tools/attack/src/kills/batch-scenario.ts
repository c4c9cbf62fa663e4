import { cp, mkdir, mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import type { KillScenario } from './kill-scenario.ts';

/** The root of the repository. The path is the same from `src` and `dist`. */
const ROOT: string = join(import.meta.dirname, '../../../..');
const COPIES = 12;
const SOURCES = ['left-of.png', 'one-large-star.png', 'small-one.png', 'three-objects.png'];

/** `blip2 caption FOLDER -o FILE.jsonl` with the demo, resumed after each kill. */
export const batchScenario: KillScenario = {
  name: 'batch',
  promise: 'After kills every image has one line, the lines are those of an undisturbed run, and no other file stays.',
  open: async () => {
    const folder = await mkdtemp(join(tmpdir(), 'blip2-kills-'));
    const [images, results] = [join(folder, 'images'), join(folder, 'results')];
    const output = join(results, 'captions.jsonl');
    await mkdir(images);
    for (let copy = 0; copy < COPIES; copy++)
      for (const source of SOURCES) await cp(join(ROOT, 'examples', source), join(images, `${copy}-${source}`));
    let expected: readonly string[] | undefined;
    return {
      command: [process.execPath, join(ROOT, 'apps/cli/bin/blip2.js'), 'caption', images, '-o', output],
      reset: async () => {
        await rm(results, { recursive: true, force: true });
        await mkdir(results);
      },
      verify: async () => {
        const lines = (await readFile(output, 'utf8')).trimEnd().split('\n').map(comparable).toSorted();
        expected ??= lines;
        if (lines.length !== COPIES * SOURCES.length) return `${lines.length} lines`;
        const differs = lines.find((line, at) => line !== expected?.[at]);
        if (differs !== undefined) return `a line differs: ${differs}, expected ${expected[lines.indexOf(differs)]}`;
        const left = (await readdir(results)).find((name) => /tmp|lock/.test(name));
        return left === undefined ? undefined : `${left} was left over`;
      },
      [Symbol.asyncDispose]: () => rm(folder, { recursive: true, force: true }),
    };
  },
};

/**
 * A line without the milliseconds per stage, which differ, and with the score to four decimals: a resumed run groups
 * other images into batches, which changes the last digits.
 */
function comparable(line: string): string {
  const { timings: _, score, ...rest } = JSON.parse(line) as Record<string, unknown>;
  return JSON.stringify({ ...rest, score: Number(score).toFixed(4) });
}
