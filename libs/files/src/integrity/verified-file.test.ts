import { mkdir, mkdtemp, open, readFile, rename, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';

import type { RecordedFile, Verdict } from './verified-file.ts';

let folder = '';
let file = '';
let recorded: RecordedFile;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'verified-file-'));
  file = join(folder, 'x');
  recorded = { file, record: join(folder, 'records', 'x') };
  await writeFile(file, 'content');
});
afterEach(() => rm(folder, { recursive: true, force: true }));

/** The functions of a new process, in which the machine was last started at another time if `boot` is given. */
async function processes(boot?: string): Promise<typeof import('./verified-file.ts')> {
  vi.resetModules();
  vi.doUnmock('../process-identity.ts');
  if (boot !== undefined) vi.doMock('../process-identity.ts', () => ({ bootId: boot }));
  return import('./verified-file.ts');
}

/** Verifies in a new process. Returns the verdict, and how often the file was read. */
async function verify({ boot, verdict = 'ok' }: { boot?: string; verdict?: Verdict } = {}): Promise<[Verdict, number]> {
  const { verifyOnce } = await processes(boot);
  const read = vi.fn(async () => verdict);
  return [await verifyOnce(recorded, read), read.mock.calls.length];
}

describe('verifyOnce', () => {
  test('reads an unchanged file once', async () => {
    expect(await verify()).toEqual(['ok', 1]);
    expect(await verify()).toEqual(['ok', 0]);
  });

  test('reads it again after each start of the machine', async () => {
    await verify({ boot: 'first' });
    expect(await verify({ boot: 'second' })).toEqual(['ok', 1]);
    expect(await verify({ boot: 'second' })).toEqual(['ok', 0]);
  });

  test('reads a file again that was replaced, touched, or written to with its time set back', async () => {
    await verify();
    await writeFile(`${file}.new`, 'content');
    await rename(`${file}.new`, file);
    expect(await verify()).toEqual(['ok', 1]);
    await utimes(file, 1, 1);
    expect(await verify()).toEqual(['ok', 1]);
    const { atime, mtime } = await stat(file);
    await using handle = await open(file, 'r+');
    await handle.write('C', 0);
    await handle.utimes(atime, mtime);
    expect(await verify()).toEqual(['ok', 1]);
  });

  test('does not remember damage, nor a file that changes while it is read', async () => {
    await verify();
    await utimes(file, 1, 1);
    expect(await verify({ verdict: 'damaged' })).toEqual(['damaged', 1]);
    expect(await verify({ verdict: 'damaged' })).toEqual(['damaged', 1]);
    const { verifyOnce } = await processes();
    const changing = verifyOnce(recorded, async () => {
      await writeFile(file, 'Content');
      return 'ok';
    });
    expect(await changing).toBe('damaged');
    expect(await verify()).toEqual(['ok', 1]);
  });

  test('reads a file once per process where no record can be written', async () => {
    const { verifyOnce } = await processes();
    await mkdir(recorded.record, { recursive: true });
    const read = vi.fn(async (): Promise<Verdict> => 'ok');
    await verifyOnce(recorded, read);
    await verifyOnce(recorded, read);
    expect(read).toHaveBeenCalledTimes(1);
    expect(await verify()).toEqual(['ok', 1]);
  });

  test('is damaged if it does not exist', async () => {
    await rm(file);
    expect(await verify()).toEqual(['damaged', 0]);
  });
});

describe('lastUsed', () => {
  test('is the time of the record, which markUsed sets to the hour', async () => {
    const { lastUsed, markUsed, markVerified } = await processes();
    await utimes(file, 1, 1);
    expect(await lastUsed(recorded)).toEqual(new Date(1000));
    await markVerified(recorded);
    const record = await readFile(recorded.record, 'utf8');
    await utimes(recorded.record, 2, 2);
    expect(await lastUsed(recorded)).toEqual(new Date(2000));
    const before = Date.now() - 1000;
    await markUsed(recorded);
    const used = await lastUsed(recorded);
    expect(used?.getTime()).toBeGreaterThan(before);
    expect((await stat(file)).mtimeMs).toBe(1000);
    expect(await readFile(recorded.record, 'utf8')).toBe(record);
    await utimes(file, 3, 3);
    expect(await lastUsed(recorded)).toEqual(new Date(3000));
  });
});
