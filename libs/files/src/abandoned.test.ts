import { mkdir, mkdtemp, readdir, readFile, rm, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';

import { abandonedTemporaries, isAbandoned, observedStillness, removeAbandonedTemporaries } from './abandoned.ts';
import { bootId, processName } from './process-identity.ts';

const FOREIGN = '00000000-1';
/** An id that no process has. */
const ENDED = `${processName.split('-')[0]}-9999999`;

let folder = '';
let file = '';
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'abandoned-'));
  file = join(folder, 'x');
  await writeFile(file, 'x');
});
afterEach(() => rm(folder, { recursive: true, force: true }));

/** Looks at a path every 5 seconds and returns the last verdict. */
async function look(from: number, to: number, path = file): Promise<boolean> {
  let verdict = false;
  for (let now = from; now <= to; now += 5_000) verdict = await isAbandoned(path, FOREIGN, now);
  return verdict;
}

describe('isAbandoned', () => {
  test('goes by the owner on this machine, however old the file is', async () => {
    await utimes(file, 0, 0);
    expect(await isAbandoned(file, processName)).toBe(false);
    expect(await isAbandoned(file, ENDED)).toBe(true);
  });

  test.each([0, Date.now() / 1000 - 7_200, Date.now() / 1000 + 7_200])(
    'ignores clocks of other machines: modified at %d',
    async (time) => {
      await utimes(file, time, time);
      expect(await look(0, 55_000)).toBe(false);
      expect(await look(60_000, 60_000)).toBe(true);
    },
  );

  test('starts anew when the file changes', async () => {
    await look(0, 55_000);
    await writeFile(file, 'xy');
    expect(await look(60_000, 115_000)).toBe(false);
    expect(await look(120_000, 120_000)).toBe(true);
  });

  test('does not count the hour for which the machine was suspended', async () => {
    await look(0, 30_000);
    expect(await isAbandoned(file, FOREIGN, 3_630_000)).toBe(false);
  });

  test('looks at the files in a folder', async () => {
    await mkdir(join(folder, 'f'));
    const inside = join(folder, 'f', 'weights.data');
    await writeFile(inside, '');
    await look(0, 55_000, join(folder, 'f'));
    await writeFile(inside, 'more');
    expect(await look(60_000, 115_000, join(folder, 'f'))).toBe(false);
  });

  test('is false for a file that does not exist', async () => {
    await rm(file);
    expect(await look(0, 200_000)).toBe(false);
    expect(await observedStillness(file)).toBe(0);
  });
});

test('processes that run for seconds continue the observations of earlier ones', async () => {
  const record = join(folder, 'record.json');
  await writeFile(file, 'x');
  /** Looks once, in a new process. */
  const lookOnce = async (now: number): Promise<boolean> => {
    vi.resetModules();
    const fresh = await import('./abandoned.ts');
    await fresh.readObservations(record, folder, now);
    const verdict = await fresh.isAbandoned(file, FOREIGN, now);
    await fresh.writeObservations(record, folder, verdict ? [] : [file], now);
    return verdict;
  };
  expect(await lookOnce(0)).toBe(false);
  expect(await lookOnce(30_000)).toBe(false);
  await writeFile(file, 'xy');
  expect(await lookOnce(70_000)).toBe(false);
  await writeFile(record, (await readFile(record, 'utf8')).replace(bootId, 'another boot'));
  expect(await lookOnce(200_000)).toBe(false);
  expect(await lookOnce(261_000)).toBe(true);
  expect(await readdir(folder)).toEqual(['x']);
  await writeFile(record, '[{]');
  expect(await lookOnce(300_000)).toBe(false);
});

test('temporary files and folders are found by their owners', async () => {
  const names = [ENDED, processName, FOREIGN].map((owner) => `.a.${owner}.00112233.tmp`);
  await mkdir(join(folder, names[0] ?? ''));
  for (const name of [...names.slice(1), '.a.d9428888-122b-11e1-b85c-61cd3cbb3210.tmp', '.b'])
    await writeFile(join(folder, name), '');
  const isTemporary = (name: string): boolean => name.endsWith('.tmp');
  expect(await abandonedTemporaries(folder, isTemporary)).toEqual([join(folder, names[0] ?? '')]);
  await removeAbandonedTemporaries(folder, isTemporary);
  expect(await readdir(folder)).toHaveLength(5);
});
