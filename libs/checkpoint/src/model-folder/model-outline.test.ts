import { mkdtemp, readdir, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { type HubIo, hubIo } from '@blip2/hub';
import { DEFAULT_COMMIT, type HubServer, type HubServerOptions, startHubServer } from '@blip2/testing';
import { describe, expect, onTestFinished, test, vi } from 'vitest';

import { openCheckpoint } from './open-checkpoint.ts';
import { outlineModel } from './outline-model.ts';

const id = 'someone/large';
const shards = ['model-00001-of-00002.safetensors', 'model-00002-of-00002.safetensors'] as const;

/** A safetensors file with one float32 tensor and a header padded with spaces to `headerBytes`. */
function weights(name: string, elements: number, headerBytes = 0): Uint8Array {
  const header = Buffer.from(
    JSON.stringify({ [name]: { dtype: 'F32', shape: [elements], data_offsets: [0, 4 * elements] } }).padEnd(
      headerBytes,
    ),
  );
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(header.length));
  return Buffer.concat([length, header, Buffer.alloc(4 * elements, 1)]);
}

function repository() {
  return {
    licence: 'mit',
    files: {
      'config.json': '{"model_type":"blip-2"}',
      'tokenizer.json': Buffer.alloc(5000),
      'model.safetensors.index.json': JSON.stringify({ metadata: {}, weight_map: { a: shards[0], b: shards[1] } }),
      // The second header is longer than the first request.
      [shards[0]]: weights('a', 2_000_000),
      [shards[1]]: weights('b', 1_000_000, 300_000),
    },
  };
}

/** The real side effects with short waits. */
const impatientIo: HubIo = {
  ...hubIo,
  sleep: (milliseconds, signal) => hubIo.sleep(Math.min(milliseconds, 20), signal),
};

/** Starts a server with an empty cache for one test. */
async function hubTest(options: HubServerOptions): Promise<{ readonly server: HubServer; readonly cacheDir: string }> {
  const server = await startHubServer(options);
  onTestFinished(() => server.close());
  const cacheDir = await mkdtemp(join(tmpdir(), 'blip2-outline-'));
  onTestFinished(() => rm(cacheDir, { recursive: true, force: true }));
  const variables = { HF_ENDPOINT: server.endpoint, HF_HOME: join(cacheDir, 'home'), HF_HUB_CACHE: cacheDir };
  for (const [name, value] of Object.entries({ ...variables, HF_TOKEN: '', HF_HUB_OFFLINE: '' }))
    vi.stubEnv(name, value);
  onTestFinished(() => void vi.unstubAllEnvs());
  return { server, cacheDir };
}

describe('outlineModel', () => {
  test('fetches all files, but of the weights only the headers', async () => {
    const { server, cacheDir } = await hubTest({ repositories: { [id]: repository() } });
    await using outline = await outlineModel(id);
    const { tensors, byteLength } = await openCheckpoint(outline.folder);
    expect([...tensors.values()].map(({ name, shape }) => [name, shape])).toEqual([
      ['a', [2_000_000]],
      ['b', [1_000_000]],
    ]);
    expect(byteLength).toBe(12_000_000);
    expect(await readFile(join(outline.folder, 'config.json'), 'utf8')).toBe('{"model_type":"blip-2"}');
    // `inspect` reads the tokenizer as the loader does.
    expect(await readFile(join(outline.folder, 'tokenizer.json'))).toEqual(Buffer.alloc(5000));
    expect(outline.plan).toMatchObject({
      id,
      commit: DEFAULT_COMMIT,
      licence: 'mit',
      missingBytes: outline.plan.totalBytes,
    });
    expect(server.requests.reduce((sum, { sent }) => sum + sent, 0)).toBeLessThan(1_200_000);
    expect(server.requests.filter(({ path }) => path.endsWith('.index.json'))).toHaveLength(1);
    expect(await readdir(cacheDir)).toEqual([]);
  });

  test('closes the connection of a server that ignores ranges, and retries after a failure', async () => {
    let failures = 0;
    const { server } = await hubTest({
      repositories: { [id]: repository() },
      pace: { bytes: 65_536, pause: 1 },
      fault: ({ path }) => (path.includes('config.json') && failures++ === 0 ? 'unavailable' : 'ignore-range'),
    });
    await using outline = await outlineModel(id, {}, impatientIo);
    expect((await openCheckpoint(outline.folder)).byteLength).toBe(12_000_000);
    expect(failures).toBeGreaterThan(1);
    expect(server.requests.reduce((sum, { sent }) => sum + sent, 0)).toBeLessThan(6_000_000);
  });

  test('deletes its folder when disposed', async () => {
    await hubTest({ repositories: { [id]: repository() } });
    const outline = await outlineModel(id);
    await outline[Symbol.asyncDispose]();
    await expect(stat(outline.folder)).rejects.toThrow('ENOENT');
  });

  test('of a file that claims more bytes than a system can hold is refused', async () => {
    await hubTest({ repositories: { [id]: repository() } });
    const enlarged: HubIo = {
      ...hubIo,
      fetch: async (url, init) => {
        const response = await hubIo.fetch(url, init);
        if (!url.includes('/tree/')) return response;
        const text = (await response.text()).replaceAll(/"size":8\d{6}/g, '"size":9000000000000000');
        return new Response(text, { headers: response.headers });
      },
    };
    await expect(outlineModel(id, {}, enlarged)).rejects.toMatchObject({ code: 'INVALID_CHECKPOINT' });
  });

  test('rejects as a download does', async () => {
    await hubTest({ repositories: { [id]: repository() } });
    await expect(outlineModel('someone/nothing')).rejects.toMatchObject({ code: 'NOT_FOUND' });
    await expect(outlineModel(id, { localFilesOnly: true })).rejects.toMatchObject({ code: 'OFFLINE' });
  });
});
