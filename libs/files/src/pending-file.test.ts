import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, open, readdir, readFile, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';

import { systemCode, wrapWriteErrors, writeAll, writeFailure, writePending } from './pending-file.ts';
import { processName } from './process-identity.ts';

let folder = '';
let file = '';
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'pending-file-'));
  file = join(folder, 'x.txt');
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

describe('writePending', () => {
  test('leaves the destination unchanged until commit, which replaces it in one step', async () => {
    await writeFile(file, 'old');
    const reader = await open(file, 'r');
    const pending = await writePending(file, (handle) => writeAll(handle, bytes('new'), file));
    expect(await readFile(file, 'utf8')).toBe('old');
    expect(await readdir(folder)).toHaveLength(2);
    await pending.commit();
    expect(await readFile(file, 'utf8')).toBe('new');
    expect(await reader.readFile('utf8')).toBe('old');
    await reader.close();
    expect(await readdir(folder)).toEqual(['x.txt']);
  });
  test('discard deletes the temporary file and nothing else', async () => {
    await writeFile(file, 'old');
    const pending = await writePending(file, (handle) => writeAll(handle, bytes('new'), file));
    await pending.discard();
    await pending.discard();
    expect(await readdir(folder)).toEqual(['x.txt']);
    expect(await readFile(file, 'utf8')).toBe('old');
  });
  test('leaves nothing if writing fails, and rejects with the same error', async () => {
    const failure = new Error('stopped');
    await expect(
      writePending(file, async (handle) => {
        await writeAll(handle, bytes('half'), file);
        throw failure;
      }),
    ).rejects.toBe(failure);
    expect(await readdir(folder)).toEqual([]);
  });
  test('rejects with WRITE_FAILED if the folder does not exist', async () => {
    await expect(writePending(join(folder, 'none', 'x'), async () => {})).rejects.toMatchObject({
      code: 'WRITE_FAILED',
      details: { where: join(folder, 'none', 'x'), got: 'ENOENT' },
    });
  });
  test('names its process, and deletes files for the same destination of processes that have ended', async () => {
    const [machine = ''] = processName.split('-');
    const child = spawn(process.execPath, ['-e', '']);
    await once(child, 'close');
    const names = [machine, '00000000'].map((name) => `.x.txt.${name}-${child.pid}.0123abcd.tmp`);
    const others = [
      names[1] ?? '',
      `.y.txt.${machine}-${child.pid}.0123abcd.tmp`,
      `.x.txt.${processName}.0123abcd.tmp`,
    ];
    for (const name of [...names, ...others]) await writeFile(join(folder, name), 'large');
    const pending = await writePending(file, async () => {});
    const left = await readdir(folder);
    expect(left.filter((name) => !others.includes(name))).toEqual([
      expect.stringMatching(`^\\.x\\.txt\\.${processName}\\.[0-9a-f]{8}\\.tmp$`),
    ]);
    expect(left).toHaveLength(4);
    await pending.discard();
  });
  test('touches the temporary file until it is committed, so that other machines see that it is in use', async () => {
    vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
    const pending = await writePending(file, async () => {});
    const [name = ''] = await readdir(folder);
    await utimes(join(folder, name), 0, 0);
    vi.advanceTimersByTime(5_000);
    await vi.waitFor(async () => expect((await stat(join(folder, name))).mtimeMs).toBeGreaterThan(0));
    await pending.commit();
    expect(vi.getTimerCount()).toBe(0);
    vi.useRealTimers();
  });
  test('two pending files for one destination do not disturb each other', async () => {
    const [first, second] = await Promise.all(
      ['one', 'two'].map((text) => writePending(file, (handle) => writeAll(handle, bytes(text), file))),
    );
    await first?.commit();
    await second?.commit();
    expect(await readFile(file, 'utf8')).toBe('two');
    expect(await readdir(folder)).toEqual(['x.txt']);
  });
});

describe('write errors', () => {
  test.each([
    ['EACCES', /permissions/],
    ['EROFS', /can be written/],
    ['ENOSPC', /space/],
    ['EDQUOT', /space/],
  ])('%s come with a remedy', (code, words) => {
    expect(writeFailure('/there', Object.assign(new TypeError('no'), { code })).message).toMatch(words);
  });
  test('others keep the cause and the code', () => {
    const cause = Object.assign(new Error('no'), { code: 'EIO' });
    expect(writeFailure('/there', cause)).toMatchObject({ cause, details: { where: '/there', got: 'EIO' } });
    expect(writeFailure('/there', 'text').details).toEqual({ where: '/there', cause: 'text' });
    expect([systemCode(cause), systemCode(new Error('no')), systemCode('EIO')]).toEqual(['EIO', undefined, undefined]);
  });
  test('wrapWriteErrors passes results through and wraps failures', async () => {
    expect(await wrapWriteErrors('/there', Promise.resolve(3))).toBe(3);
    await expect(wrapWriteErrors('/there', Promise.reject(new Error('no')))).rejects.toMatchObject({
      code: 'WRITE_FAILED',
    });
  });
});
