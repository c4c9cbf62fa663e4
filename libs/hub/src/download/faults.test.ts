import { readdir } from 'node:fs/promises';
import { join } from 'node:path';

import { Blip2Error } from '@blip2/interfaces';
import { type Fault, FAULTS, type HubServer, type ServedRequest } from '@blip2/testing';
import { describe, expect, test, vi } from 'vitest';

import { type HubIo, hubIo } from '../client/hub-io.ts';
import {
  badBlobs,
  contents,
  hubTest,
  impatientIo,
  listing,
  seededRandom,
  servedContents,
} from '../fixtures/hub-test.ts';
import { MODEL_ID, NEEDED_PATHS, tinyRepository } from '../fixtures/tiny-repository.ts';
import { downloadModel } from '../index.ts';

const repository = 'models--someone--tiny-blip2';
const repositories = { [MODEL_ID]: tinyRepository() };
const isStored = (request: ServedRequest): boolean => request.host === 'storage';
/** Faults that take time to detect. */
const isSlow = (fault: Fault): boolean => fault === 'stuck' || fault === 'trickle';

async function incomplete(cacheDir: string): Promise<string[]> {
  return (await readdir(join(cacheDir, repository, 'blobs'))).filter((name) => name.endsWith('.incomplete'));
}

/** The response of `fetch` for a body that starts after its signal was aborted. */
function silentAnswer(): Response {
  return new Response(new ReadableStream());
}

describe('a fault in the first response for each file', () => {
  test.each(FAULTS)('%s', async (fault) => {
    const { server, cacheDir } = await hubTest({ repositories });
    if (isSlow(fault)) vi.stubEnv('HF_HUB_DOWNLOAD_TIMEOUT', '0.4');
    const seen = new Set<string>();
    server.options = { repositories, fault: ({ path }) => (seen.has(path) ? undefined : (seen.add(path), fault)) };
    const folder = await downloadModel(MODEL_ID, {}, impatientIo);
    expect(await contents(folder)).toEqual(servedContents(tinyRepository()));
    expect(await badBlobs(cacheDir)).toEqual([]);
    expect(await incomplete(cacheDir)).toEqual([]);
  });
});

describe('a permanent fault', () => {
  test.each<[Fault, string]>([
    ['flip', 'INTEGRITY_FAILED'],
    ['short', 'DOWNLOAD_FAILED'],
    ['long', 'DOWNLOAD_FAILED'],
    ['html', 'DOWNLOAD_FAILED'],
    ['html-status', 'DOWNLOAD_FAILED'],
    ['throttle', 'DOWNLOAD_FAILED'],
    ['unavailable', 'DOWNLOAD_FAILED'],
    ['expired', 'DOWNLOAD_FAILED'],
  ])('%s ends in %s, and no damaged file is published', async (fault, code) => {
    const { cacheDir } = await hubTest({ repositories, fault: (request) => (isStored(request) ? fault : undefined) });
    await expect(downloadModel(MODEL_ID, {}, impatientIo)).rejects.toMatchObject({ code });
    expect(await badBlobs(cacheDir)).toEqual([]);
    // The ref is stored only once all files are complete.
    expect((await listing(cacheDir)).filter((line) => line.includes('refs/'))).toEqual([]);
  });

  test('a body that stalls and ignores the abort is given up', async () => {
    await hubTest({ repositories });
    vi.stubEnv('HF_HUB_DOWNLOAD_TIMEOUT', '0.1');
    const io: HubIo = {
      ...impatientIo,
      fetch: (url, init) => (url.includes('/blob/') ? Promise.resolve(silentAnswer()) : hubIo.fetch(url, init)),
    };
    await expect(downloadModel(MODEL_ID, {}, io)).rejects.toMatchObject({
      code: 'DOWNLOAD_FAILED',
      message: expect.stringContaining('no more bytes'),
    });
  });

  test('a body of a byte now and then is given up', async () => {
    await hubTest({
      repositories,
      fault: (request) => (isStored(request) ? 'trickle' : undefined),
      pace: { bytes: 2000, pause: 0 },
    });
    vi.stubEnv('HF_HUB_DOWNLOAD_TIMEOUT', '0.4');
    await expect(downloadModel(MODEL_ID, {}, impatientIo)).rejects.toMatchObject({
      code: 'DOWNLOAD_FAILED',
      message: expect.stringContaining('too few bytes'),
    });
  });
});

/** Lets the storage fail by the number of the request for a file, from 1. Returns the requests so far, by path. */
function injectFaults(server: HubServer, faultOf: (attempt: number) => Fault | undefined): Map<string, number> {
  const attempts = new Map<string, number>();
  server.options = {
    repositories,
    pace: { bytes: 8192, pause: 0 },
    fault: ({ host, path }) => {
      if (host === 'hub') return undefined;
      attempts.set(path, (attempts.get(path) ?? 0) + 1);
      return faultOf(attempts.get(path) ?? 0);
    },
  };
  return attempts;
}

describe('resuming', () => {
  test('requests only the rest if the storage still has the same file', async () => {
    const { server } = await hubTest({ repositories, pace: { bytes: 8192, pause: 0 } });
    const seen = new Set<string>();
    server.options = {
      ...server.options,
      fault: ({ host, path }) => (host === 'hub' || seen.has(path) ? undefined : (seen.add(path), 'cut')),
    };
    expect(await contents(await downloadModel(MODEL_ID, {}, impatientIo))).toEqual(servedContents(tinyRepository()));
    const again = server.requests.filter(({ host, headers }) => host === 'storage' && headers.range !== undefined);
    expect(again.length).toBeGreaterThan(1);
    for (const { headers } of again) {
      expect(Number(/^bytes=(\d+)-$/.exec(headers.range ?? '')?.[1])).toBeGreaterThan(0);
      expect(headers['if-range']).toMatch(/^"[0-9a-f]{32}"$/);
    }
  });

  test('starts a file over if the server ignores the range', async () => {
    const { server, cacheDir } = await hubTest({ repositories });
    injectFaults(server, (attempt) => (attempt === 1 ? 'cut' : 'ignore-range'));
    expect(await contents(await downloadModel(MODEL_ID, {}, impatientIo))).toEqual(servedContents(tinyRepository()));
    expect(await badBlobs(cacheDir)).toEqual([]);
  });

  test('refuses a range that it did not request', async () => {
    const { server } = await hubTest({ repositories });
    const order: readonly (Fault | undefined)[] = [undefined, 'cut', 'wrong-range'];
    const seen = injectFaults(server, (attempt) => order[attempt]);
    expect(await contents(await downloadModel(MODEL_ID, {}, impatientIo))).toEqual(servedContents(tinyRepository()));
    const whole = server.requests
      .filter(({ host, headers }) => host === 'storage' && headers.range === undefined)
      .map(({ path }) => path);
    // The shards were cut in the middle: no byte of them is fetched twice.
    const shards = [...seen].filter(([, count]) => count === 3).map(([path]) => path);
    expect(shards.length).toBeGreaterThanOrEqual(2);
    expect(whole.filter((path) => shards.includes(path)).length).toBe(shards.length);
  });

  test('keeps partial files when the Hub becomes unreachable, and resumes them in the next call', async () => {
    const { server, cacheDir } = await hubTest({
      repositories,
      pace: { bytes: 8192, pause: 1 },
      fault: ({ host, headers }) => (host === 'hub' ? undefined : headers.range === undefined ? 'cut' : 'unavailable'),
    });
    await expect(downloadModel(MODEL_ID, {}, impatientIo)).rejects.toMatchObject({ code: 'DOWNLOAD_FAILED' });
    const kept = await incomplete(cacheDir);
    expect(kept.length).toBeGreaterThan(0);
    expect(kept.every((name) => name.includes('.free-'))).toBe(true);
    server.options = { repositories };
    const before = server.requests.length;
    expect(await contents(await downloadModel(MODEL_ID, {}, impatientIo))).toEqual(servedContents(tinyRepository()));
    expect(server.requests.slice(before).filter(({ headers }) => headers.range !== undefined).length).toBeGreaterThan(
      0,
    );
    expect(await incomplete(cacheDir)).toEqual([]);
  });
});

describe('aborting', () => {
  test.each([0.001, 0.1, 0.3, 0.6, 0.9])(
    'after %d of the bytes rejects with the reason, publishes no damaged file, and can be resumed',
    async (part) => {
      const { server, cacheDir } = await hubTest({ repositories, pace: { bytes: 4096, pause: 1 } });
      const controller = new AbortController();
      const loaded = new Map<string, number>();
      let abortedAt = 0;
      const running = downloadModel(MODEL_ID, {
        signal: controller.signal,
        onProgress: (each) => {
          loaded.set(each.file, each.loaded);
          const sum = [...loaded.values()].reduce((a, b) => a + b, 0);
          if (sum < part * 460_000 || controller.signal.aborted) return;
          abortedAt = performance.now();
          controller.abort();
        },
      });
      await expect(running).rejects.toMatchObject({ name: 'AbortError' });
      expect(performance.now() - abortedAt).toBeLessThan(250);
      expect(await badBlobs(cacheDir)).toEqual([]);
      server.options = { repositories };
      expect(await contents(await downloadModel(MODEL_ID))).toEqual(servedContents(tinyRepository()));
      expect(await incomplete(cacheDir)).toEqual([]);
    },
  );

  test('ends even if the body ignores the abort', async () => {
    await hubTest({ repositories });
    const controller = new AbortController();
    const io: HubIo = {
      ...hubIo,
      fetch: async (url, init) => {
        if (!url.includes('/blob/')) return hubIo.fetch(url, init);
        controller.abort();
        return silentAnswer();
      },
    };
    await expect(downloadModel(MODEL_ID, { signal: controller.signal }, io)).rejects.toMatchObject({
      name: 'AbortError',
    });
  });

  test('before the start sends no request', async () => {
    const { server } = await hubTest({ repositories });
    await expect(downloadModel(MODEL_ID, { signal: AbortSignal.abort() })).rejects.toMatchObject({
      name: 'AbortError',
    });
    expect(server.requests).toEqual([]);
  });

  test('while the Hub does not respond', async () => {
    await hubTest({ repositories });
    const never: HubIo = {
      ...hubIo,
      fetch: (_, { signal }) =>
        new Promise((_resolve, reject) => signal?.addEventListener('abort', () => reject(signal.reason))),
    };
    await expect(downloadModel(MODEL_ID, { signal: AbortSignal.timeout(50) }, never)).rejects.toMatchObject({
      name: 'TimeoutError',
    });
  });
});

describe('a full disk', () => {
  const full = (after: number): HubIo => {
    let written = 0;
    return {
      ...impatientIo,
      write: async (handle, bytes, file) => {
        if ((written += bytes.byteLength) > after)
          throw new Blip2Error('WRITE_FAILED', 'A file cannot be written', { where: file, got: 'ENOSPC' });
        await hubIo.write(handle, bytes, file);
      },
    };
  };

  test('after any number of bytes leaves no partial file', async () => {
    const { cacheDir } = await hubTest({ repositories });
    const kept: number[] = [];
    for (let step = 0; step < 16; step++) {
      const target = join(cacheDir, String(step));
      await expect(downloadModel(MODEL_ID, { cacheDir: target }, full(step * 28_000))).rejects.toMatchObject({
        code: 'WRITE_FAILED',
        message: expect.stringContaining('ENOSPC'),
      });
      expect(await badBlobs(target)).toEqual([]);
      expect((await listing(target)).filter((line) => line.includes('incomplete'))).toEqual([]);
      kept.push((await readdir(join(target, repository, 'blobs'))).length);
      expect(await contents(await downloadModel(MODEL_ID, { cacheDir: target }))).toEqual(
        servedContents(tinyRepository()),
      );
      expect((await listing(target)).filter((line) => line.includes('incomplete'))).toEqual([]);
    }
    expect(kept[0]).toBe(0);
    expect(kept.at(-1)).toBeGreaterThan(5);
  });

  test('is detected before the first byte if the model cannot fit', async () => {
    const { server } = await hubTest({ repositories });
    const enlarged: HubIo = {
      ...hubIo,
      fetch: async (url, init) => {
        const response = await hubIo.fetch(url, init);
        if (!url.includes('/tree/')) return response;
        return new Response((await response.text()).replaceAll('"size":300000', '"size":9000000000000000'), {
          headers: response.headers,
        });
      },
    };
    await expect(downloadModel(MODEL_ID, {}, enlarged)).rejects.toMatchObject({
      code: 'WRITE_FAILED',
      message: expect.stringContaining('does not fit'),
    });
    // The shard index is fetched to know the files.
    expect(server.requests.filter(({ path }) => /\/resolve\/(?!.*\.index\.json$)/.test(path))).toEqual([]);
  });
});

describe('random faults', () => {
  const seed = Number(process.env['BLIP2_TEST_SEED'] ?? Date.now() % 1_000_000);
  const rounds = Number(process.env['BLIP2_TEST_ROUNDS'] ?? 40);
  const quick = FAULTS.filter((fault) => !isSlow(fault));

  test(
    `never leave a bad file under its name (seed ${seed})`,
    async () => {
      const random = seededRandom(seed);
      const small = { [MODEL_ID]: tinyRepository(30_000) };
      const { server, cacheDir } = await hubTest({ repositories: small });
      const outcomes = { done: 0, failed: 0 };
      for (let round = 0; round < rounds; round++) {
        const rate = random() * 0.9;
        server.options = {
          repositories: small,
          pace: { bytes: 1024 + Math.floor(random() * 20_000), pause: 0 },
          fault: () => (random() < rate ? quick[Math.floor(random() * quick.length)] : undefined),
        };
        const target = join(cacheDir, String(Math.floor(round / 4)));
        const run = await downloadModel(
          MODEL_ID,
          { cacheDir: target },
          { ...impatientIo, sleep: async () => {} },
        ).catch((error: unknown) => error);
        if (run instanceof Error)
          expect(run).toMatchObject({
            name: 'Blip2Error',
            code: expect.stringMatching(/^(?:DOWNLOAD_FAILED|INTEGRITY_FAILED)$/),
          });
        else expect(await contents(String(run))).toEqual(servedContents(tinyRepository(30_000)));
        outcomes[run instanceof Error ? 'failed' : 'done']++;
        expect(await badBlobs(target)).toEqual([]);
      }
      expect(outcomes.done).toBeGreaterThan(0);
      expect(server.requests.length).toBeGreaterThan(rounds);
    },
    240_000 + 500 * rounds,
  );
});

describe('the needed paths', () => {
  test('are served', () => {
    expect(Object.keys(tinyRepository().files)).toEqual(expect.arrayContaining([...NEEDED_PATHS]));
  });
});
