import { createHash } from 'node:crypto';
import { mkdir, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';

import {
  convertedWeights,
  listCachedConversions,
  openCheckpoint,
  packedFolderOf,
  randomTensorSource,
  saveCheckpoint,
} from '@blip2/checkpoint';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';

import { ExitCode } from '../../exit-code.ts';
import type { CacheOptions } from './cache-call.ts';
import { verifyCache } from './verify-cache.ts';

let root = '';
/** A converted file, and a folder of prepacked weights. */
let converted = '';
let prepacked = '';
afterEach(async () => {
  vi.unstubAllEnvs();
  await rm(root, { recursive: true });
});
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'blip2-verify-'));
  vi.stubEnv('BLIP2_CACHE', join(root, 'cache'));
  const model = join(root, 'model');
  await saveCheckpoint(model, [
    randomTensorSource({ name: 'fc.weight', shape: [24, 40], init: { kind: 'normal', std: 0.02 } }, 7),
  ]);
  await convertedWeights(
    await openCheckpoint(model),
    [{ name: 'fc.weight', shape: [24, 40], precision: 'q4' }],
    'language_model',
  );
  const [first] = await listCachedConversions();
  converted = first?.file ?? '';
  prepacked = join(packedFolderOf(converted), `decode-${'0'.repeat(32)}`);
  const [graph, weights] = ['a graph', 'prepacked weights'].map((text) => Buffer.from(text));
  await mkdir(prepacked, { recursive: true });
  await writeFile(join(prepacked, 'graph.onnx'), graph ?? '');
  await writeFile(join(prepacked, 'weights.data'), weights ?? '');
  const manifest = {
    bytes: weights?.byteLength,
    weights: crc32(weights ?? '')
      .toString(16)
      .padStart(8, '0'),
    graph: createHash('sha256')
      .update(graph ?? '')
      .digest('hex'),
  };
  await writeFile(join(prepacked, 'compared.json'), JSON.stringify(manifest));
});

async function verify(options: CacheOptions = {}): Promise<[exitCode: ExitCode, output: string]> {
  let output = '';
  const print = async (text: string): Promise<void> => void (output += text);
  const { signal } = new AbortController();
  return [
    await verifyCache({
      folder: join(root, 'hub'),
      models: [],
      options: { converted: true, ...options },
      signal,
      print,
    }),
    output,
  ];
}

/** Inverts one bit of a file. */
async function flip(file: string): Promise<void> {
  const bytes = await readFile(file);
  await writeFile(file, bytes.fill((bytes.at(-1) ?? 0) ^ 0x80, bytes.length - 1));
}

test('lists converted and prepacked weights that are intact', async () => {
  const [code, output] = await verify();
  expect(code).toBe(ExitCode.done);
  expect(output.match(/language_model q4(?:, prepacked)?: intact\n/g)).toHaveLength(2);
  expect(await verify({ quiet: true })).toEqual([ExitCode.done, '']);
});

test.each([
  ['converted weights', () => converted, () => converted],
  ['prepacked weights', () => join(prepacked, 'weights.data'), () => prepacked],
  ['a graph', () => join(prepacked, 'graph.onnx'), () => prepacked],
  ['a manifest', () => join(prepacked, 'compared.json'), () => prepacked],
])('finds one wrong bit in %s', async (_, damagedFile, named) => {
  await flip(damagedFile());
  expect(await verify({ quiet: true })).toEqual([ExitCode.failed, `damaged\t${named()}\n`]);
  const [, json] = await verify({ quiet: true, json: true, removeDamaged: true });
  expect(JSON.parse(json)).toMatchObject({ file: named(), state: 'damaged' });
  await expect(stat(named())).rejects.toThrow('ENOENT');
  expect(await verify({ quiet: true })).toEqual([ExitCode.done, '']);
});
