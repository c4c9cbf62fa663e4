import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

import { describe, expect, test } from 'vitest';

import { repository, spawnBlip2, type SpawnedRun } from '../fixtures/spawn-blip2.ts';
import { temporaryFolder } from '../fixtures/temporary-folder.ts';

const IMAGE = join(repository, 'examples/small-one.png');

/** Runs `embed` on many images, and sends a signal once a file under a temporary name exists. */
async function endedBy(signal: NodeJS.Signals, at: (name?: string) => string, argv: string[]): Promise<SpawnedRun> {
  await writeFile(at('many.txt'), `${IMAGE}\n`.repeat(3000));
  const isWriting = async (): Promise<boolean> =>
    (await readdir(at(), { recursive: true })).some((name) => /\.npy\..*\.tmp$/.test(name));
  return spawnBlip2(['embed', '--quiet', '--batch-size', '1', `@${at('many.txt')}`, ...argv], {
    onStart: (interrupt) =>
      void (async () => {
        while (!(await isWriting())) await sleep(5);
        await sleep(100);
        interrupt(signal);
      })(),
  });
}

const filesIn = async (at: (name?: string) => string): Promise<string[]> =>
  (await readdir(at(), { recursive: true })).filter((name) => name !== 'many.txt').sort();

/** Rows of a `.npy` file, by its header. */
async function rowsIn(file: string): Promise<number> {
  return Number(/'shape': \((\d+),/.exec((await readFile(file)).subarray(0, 128).toString('latin1'))?.[1]);
}

describe('a run that writes a file under a temporary name', () => {
  test.each([
    ['SIGTERM', 143],
    ['SIGHUP', 129],
  ] as const)('keeps what is finished when it is ended by %s', async (signal, exitCode) => {
    const at = await temporaryFolder();
    expect((await endedBy(signal, at, ['-o', at('x.npy'), '--pool', 'mean'])).exitCode).toBe(exitCode);
    expect(await filesIn(at)).toEqual(['x.npy']);
    expect(await rowsIn(at('x.npy'))).toBeGreaterThan(0);
    const folder = ['-o', at('index'), '--format', 'clip-retrieval'];
    expect((await endedBy(signal, at, folder)).exitCode).toBe(exitCode);
    expect(await filesIn(at)).toEqual([
      'index',
      'index/embeddings.run.json',
      'index/img_emb',
      'index/img_emb/img_emb_0.npy',
      'index/metadata',
      'index/metadata/metadata_0.parquet',
      'x.npy',
    ]);
  });

  test('leaves files when it is killed, which the next run deletes', async () => {
    const at = await temporaryFolder();
    for (const output of [
      ['-o', at('x.npy'), '--pool', 'mean'],
      ['-o', at('index'), '--format', 'clip-retrieval'],
    ]) {
      expect((await endedBy('SIGKILL', at, output)).signal).toBe('SIGKILL');
      expect((await filesIn(at)).some((name) => name.endsWith('.tmp'))).toBe(true);
      expect((await spawnBlip2(['embed', '--quiet', IMAGE, ...output])).exitCode).toBe(0);
      expect((await filesIn(at)).filter((name) => /tmp|lock/.test(name))).toEqual([]);
    }
  });
});
