import { copyFile, link, readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

import { describe, expect, test } from 'vitest';

import { repository, spawnBlip2 } from '../fixtures/spawn-blip2.ts';
import { temporaryFolder } from '../fixtures/temporary-folder.ts';

// A small run by default. For a large one:
//   BLIP2_KILL_IMAGES=10000 BLIP2_KILLS=50 npx vitest run apps/cli/src/e2e/kills.e2e.test.ts
const IMAGES = Number(process.env['BLIP2_KILL_IMAGES'] ?? 120);
const KILLS = Number(process.env['BLIP2_KILLS'] ?? 4);
/** Generous: each start takes up to some seconds on a busy machine. */
const TIMEOUT = 60_000 + 15_000 * KILLS + 200 * IMAGES;

const SIGNALS = ['SIGKILL', 'SIGTERM', 'SIGKILL', 'SIGINT'] as const;

async function linesIn(file: string): Promise<string[]> {
  return (await readFile(file, 'utf8').catch(() => '')).split('\n').filter((line) => line !== '');
}

describe(`${IMAGES} images with ${KILLS} kills in between`, () => {
  test.each(['out.jsonl', 'out.csv'])(
    'have one result each in %s: nothing is missing, nothing is there twice',
    async (name) => {
      const at = await temporaryFolder({ 'in/readme.txt': '' });
      const images = Array.from({ length: IMAGES }, (_, index) => at(`in/${index}.png`));
      // Hard links take no space.
      await copyFile(join(repository, 'examples/small-one.png'), at('example.png'));
      for (const image of images) await link(at('example.png'), image);
      const argv = ['caption', '--quiet', '--batch-size', '2', at('in'), '-o', at(name)];
      for (let kill = 0; kill < KILLS; kill++) {
        // At a part of a batch: the signal arrives some milliseconds after a line was written.
        const until = Math.round((IMAGES * (kill + 0.5)) / (KILLS + 1));
        let isOver = false;
        await spawnBlip2(argv, {
          onStart: (interrupt) =>
            void (async () => {
              while (!isOver && (await linesIn(at(name))).length < until) await sleep(5);
              await sleep((kill * 7) % 23);
              if (!isOver) interrupt(SIGNALS[kill % SIGNALS.length]);
            })(),
        });
        isOver = true;
      }
      expect((await spawnBlip2(argv)).exitCode).toBe(0);
      const text = await readFile(at(name), 'utf8');
      const rows = text.trimEnd().split(/\r?\n/);
      const found = name.endsWith('.csv')
        ? rows.slice(1).map((row) => row.split(',')[0])
        : rows.map((row) => JSON.parse(row).image);
      expect(found).toHaveLength(IMAGES);
      expect(new Set(found)).toEqual(new Set(images));
      const texts = name.endsWith('.csv')
        ? rows.slice(1).map((row) => row.split(',')[1])
        : rows.map((row) => JSON.parse(row).text);
      expect(new Set(texts).size).toBe(1);
      expect((await readdir(at())).sort()).toEqual(['example.png', 'in', name, `${name}.run.json`]);
    },
    TIMEOUT,
  );
});
