import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { processName } from '@blip2/files';
import { DEFAULT_COMMIT } from '@blip2/testing';
import { describe, expect, test } from 'vitest';

import { badBlobs, contents, hubTest, seededRandom, servedContents } from '../fixtures/hub-test.ts';
import { MODEL_ID, tinyRepository } from '../fixtures/tiny-repository.ts';
import { downloadModel } from '../index.ts';

const loader = join(import.meta.dirname, '../../../../tools/testing/test-loader.mjs');
const program = join(import.meta.dirname, '../fixtures/download-child.ts');
const weightBytes = 400_000;
const repositories = { [MODEL_ID]: tinyRepository(weightBytes) };
const totalBytes = 1.5 * weightBytes;
/** Slow enough to be interrupted. */
const pace = { bytes: 8192, pause: 4 };

interface Child {
  readonly process: ChildProcess;
  /** Resolves with the exit code or signal, and the output. */
  readonly ended: Promise<{ readonly how: number | string | null; readonly output: string }>;
}

function start(onBytes: (loaded: number, child: ChildProcess) => void = () => {}): Child {
  const child = spawn(process.execPath, ['--import', loader, program, MODEL_ID], {
    env: process.env,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const loaded = new Map<string, number>();
  let output = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    output += text;
    for (const [, file = '', bytes] of text.matchAll(/^bytes (\S+) (\d+)$/gm)) loaded.set(file, Number(bytes));
    onBytes(
      [...loaded.values()].reduce((a, b) => a + b, 0),
      child,
    );
  });
  const ended = once(child, 'close').then(([code, signal]: unknown[]) => ({
    how: (signal ?? code) as string | number | null,
    output,
  }));
  return { process: child, ended };
}

describe('kill -9', () => {
  const seed = Number(process.env['BLIP2_TEST_SEED'] ?? Date.now() % 1_000_000);
  const kills = Number(process.env['BLIP2_TEST_KILLS'] ?? 4);

  test.each([undefined, DEFAULT_COMMIT])(
    'at the very end leaves files that the next run deletes (%s)',
    async (revision) => {
      const { cacheDir } = await hubTest({ repositories });
      const options = { cacheDir, ...(revision !== undefined && { revision }) };
      await downloadModel(MODEL_ID, options);
      const blobs = join(cacheDir, 'models--someone--tiny-blip2/blobs');
      const [etag = ''] = await readdir(blobs);
      // Its process has ended.
      await writeFile(join(blobs, `${etag}.free-0123abcd.incomplete`), 'half');
      const ended = processName.replace(/-\d+$/, '-9999999');
      await writeFile(join(blobs, `${etag}.blip2.lock.${ended}.0123abcd.tmp`), '');
      const before = (await readdir(blobs)).length;
      await downloadModel(MODEL_ID, options);
      expect((await readdir(blobs)).filter((name) => /incomplete|tmp/.test(name))).toEqual([]);
      expect(await readdir(blobs)).toHaveLength(before - 2);
    },
  );

  test(`at any time leaves a cache that the next process resumes (seed ${seed})`, async () => {
    const random = seededRandom(seed);
    const { server, cacheDir } = await hubTest({ repositories, pace });
    for (let kill = 1; kill <= kills; kill++) {
      // Bytes of partial files are reported too, so this is a position in the whole download.
      const at = ((kill - 0.5 + random() / 2) / (kills + 1)) * totalBytes;
      const { how } = await start((loaded, child) => loaded > at && child.kill('SIGKILL')).ended;
      expect(how).toBe('SIGKILL');
      expect(await badBlobs(cacheDir)).toEqual([]);
    }
    const { how, output } = await start().ended;
    expect(how).toBe(0);
    expect(await contents(/^done (.*)$/m.exec(output)?.[1] ?? '')).toEqual(servedContents(tinyRepository(weightBytes)));
    expect(await badBlobs(cacheDir)).toEqual([]);
    expect(
      (await readdir(join(cacheDir, 'models--someone--tiny-blip2/blobs'))).filter((name) =>
        name.endsWith('.incomplete'),
      ),
    ).toEqual([]);
    // A kill loses only the bytes in the sockets.
    const sent = server.requests
      .filter(({ host }) => host === 'storage')
      .reduce((sum, request) => sum + request.sent, 0);
    const needed = totalBytes + 9000;
    expect((sent - needed) / kills).toBeLessThan(0.25 * needed);
    expect(server.requests.filter(({ headers }) => headers.range !== undefined).length).toBeGreaterThan(0);
  });
});

describe('two processes at once', () => {
  test('end with the same snapshot, and every file is downloaded once', async () => {
    const { server, cacheDir } = await hubTest({ repositories, pace: { bytes: 16_384, pause: 4 } });
    const ends = await Promise.all([start().ended, start().ended]);
    const folders = ends.map(({ output }) => /^done (.*)$/m.exec(output)?.[1]);
    expect(ends.map(({ how }) => how)).toEqual([0, 0]);
    expect(folders[0]).toBe(folders[1]);
    expect(await contents(folders[0] ?? '')).toEqual(servedContents(tinyRepository(weightBytes)));
    expect(await badBlobs(cacheDir)).toEqual([]);
    // Each process needs the shard index to plan its download.
    const fetched = server.requests
      .map(({ path }) => path)
      .filter((path) => /\/blob\/|\/resolve\//.test(path) && !path.endsWith('.index.json'));
    expect(fetched.length).toBe(new Set(fetched).size);
  });

  test('with one of them killed: the other takes over', async () => {
    const { cacheDir } = await hubTest({ repositories, pace });
    const first = start((loaded, child) => loaded > 0.3 * totalBytes && child.kill('SIGKILL'));
    const second = start();
    expect((await first.ended).how).toBe('SIGKILL');
    const { how, output } = await second.ended;
    expect(how).toBe(0);
    expect(await contents(/^done (.*)$/m.exec(output)?.[1] ?? '')).toEqual(servedContents(tinyRepository(weightBytes)));
    expect(await badBlobs(cacheDir)).toEqual([]);
  });
});

describe('many calls in one process', () => {
  test('share the work', async () => {
    const { server, cacheDir } = await hubTest({ repositories });
    const folders = await Promise.all(Array.from({ length: 6 }, () => downloadModel(MODEL_ID)));
    expect(new Set(folders).size).toBe(1);
    expect(await contents(folders[0] ?? '')).toEqual(servedContents(tinyRepository(weightBytes)));
    expect(await badBlobs(cacheDir)).toEqual([]);
    const fetched = server.requests.filter(({ path }) => path.includes('/blob/')).map(({ path }) => path);
    expect(fetched.length).toBe(new Set(fetched).size);
  });
});
