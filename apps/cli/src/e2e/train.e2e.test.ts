import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';

import { describe, expect, test } from 'vitest';

import { repository, spawnBlip2 } from '../fixtures/spawn-blip2.ts';
import { temporaryFolder } from '../fixtures/temporary-folder.ts';

// More kills: BLIP2_KILLS=10 npx vitest run apps/cli/src/e2e/train.e2e.test.ts
const KILLS = Number(process.env['BLIP2_KILLS'] ?? 2);
const STEPS = 2 + 2 * KILLS;
const SIGNALS = ['SIGKILL', 'SIGINT', 'SIGKILL', 'SIGTERM'] as const;

const PAIRS = [
  ['left-of.png', 'a blue triangle to the left of a small yellow circle'],
  ['one-large-star.png', 'a red star'],
  ['small-one.png', 'two small circles'],
  ['two-of-a-kind.png', 'a green square above a white circle'],
]
  .map(([image = '', caption]) => JSON.stringify({ image: join(repository, 'examples', image), caption }))
  .join('\n');

async function contents(folder: string): Promise<ReadonlyMap<string, Buffer>> {
  const names = (await readdir(folder, { recursive: true, withFileTypes: true }))
    .filter((entry) => entry.isFile())
    .map(({ parentPath, name }) => join(parentPath, name).slice(folder.length + 1));
  // Times differ, and which of two files holds which state.
  const compared = names.filter((name) => !name.startsWith('training/state-')).toSorted();
  return new Map(await Promise.all(compared.map(async (name) => [name, await readFile(join(folder, name))] as const)));
}

describe(`blip2 train, killed ${KILLS} times`, () => {
  test(
    'writes what an uninterrupted run writes',
    async () => {
      const at = await temporaryFolder({ 'pairs.jsonl': PAIRS });
      const argv = (out: string, ...more: string[]): string[] => [
        ...[
          'train',
          at('pairs.jsonl'),
          '-o',
          at(`${out}/model`),
          '--steps',
          String(STEPS),
          '--batch-size',
          '3',
          '--json',
        ],
        ...['--threads', '1', '--features', at('features'), '--save-every', '0', '--learning-rate', '1e-3', ...more],
      ];
      const whole = await spawnBlip2(argv('whole'));
      expect([whole.exitCode, whole.stdout.trim().split('\n').length]).toEqual([0, STEPS + 1]);
      for (let kill = 0; kill < KILLS; kill++) {
        const until = 2 * kill + 2;
        let isOver = false;
        const run = spawnBlip2(argv('parts', ...(kill > 0 ? ['--resume'] : [])), {
          onStart: (interrupt) =>
            void (async () => {
              for (;;) {
                const log = await readFile(at('parts/model/training/log.jsonl'), 'utf8').catch(() => '');
                if (isOver) return;
                if (log.split('\n').length > until) break;
              }
              interrupt(SIGNALS[kill % SIGNALS.length]);
            })(),
        });
        await run;
        isOver = true;
      }
      const last = await spawnBlip2(argv('parts', '--resume'));
      expect([last.exitCode, last.stderr]).toEqual([0, expect.stringMatching(/^4 examples, 548288 weights, \d+ of/)]);
      const [expected, got] = [await contents(at('whole/model')), await contents(at('parts/model'))];
      expect([...got.keys()]).toEqual([...expected.keys()]);
      for (const [name, bytes] of expected) expect(got.get(name)?.equals(bytes), name).toBe(true);
    },
    60_000 + 30_000 * KILLS,
  );
});
