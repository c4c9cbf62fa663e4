import { basename, dirname, join } from 'node:path';

import { acquireLock, defaultCacheFolder, makeFolder, systemCode } from '@blip2/files';
import { Blip2Error, defined, type PlannedWeight, type StoredTensor, type WeightStore } from '@blip2/interfaces';

import { convertedFolder, markUsed, removeAbandoned } from './cache-folder.ts';
import { contentKey } from './content-key.ts';
import type { ConversionOptions } from './conversion-options.ts';
import { convertFile } from './convert-file.ts';
import { openConverted } from './open-converted.ts';
import type { Conversion } from './weight-plan.ts';

const ANOTHER_CACHE =
  'Set BLIP2_CACHE to a writable folder with enough space, or list the cached files with `blip2 cache`';

/** Conversions in progress in this process, by file. Concurrent callers share them. */
const inProgress = new Map<string, Promise<void>>();

/**
 * Returns the weights of `plan` at their planned precisions, from a file in the cache. A missing file is created first:
 * streamed, on all cores, under a temporary name until it is complete. If several processes need the same file, one
 * creates it and the others wait. The file name starts with `label`. On failure nothing is left.
 * @throws Blip2Error `MISSING_WEIGHT`, `SHAPE_MISMATCH`, `UNSUPPORTED_DTYPE`, `INVALID_CHECKPOINT` (weights that are
 * not finite, or that changed during the conversion), `MISSING_FILE`, `WRITE_FAILED`, `WORKER_FAILED`; the signal's
 * reason.
 */
export async function convertedWeights(
  store: WeightStore,
  plan: readonly PlannedWeight[],
  label: string,
  options: ConversionOptions = {},
): Promise<WeightStore> {
  const conversions = plan.map((weight) => ({ ...weight, source: sourceOf(store, weight) }));
  const key = await contentKey(conversions);
  const cache = options.convertedDir ?? defaultCacheFolder();
  const folder = convertedFolder(cache);
  const file = join(folder, `${label}-${key}.safetensors`);
  options.signal?.throwIfAborted();
  const cached = await openConverted(file, plan);
  if (cached) {
    await markUsed(file);
    return cached;
  }
  await makeFolder(folder).catch((cause: unknown) => {
    throw new Blip2Error('WRITE_FAILED', 'The folder of converted weights cannot be created', {
      where: folder,
      fix: ANOTHER_CACHE,
      cause,
      ...defined({ got: systemCode(cause) }),
    });
  });
  await removeAbandoned(folder);
  await shareInProgress(file, () => convertUnlessDone(file, conversions, key, store, options));
  const created = await openConverted(file, plan);
  if (created) return created;
  throw new Blip2Error('INVALID_CHECKPOINT', 'A converted file was deleted or changed right after it was created', {
    where: file,
    fix: 'Load the model again',
  });
}

function sourceOf({ tensors, folder }: WeightStore, { name, shape: logical, transposed }: PlannedWeight): StoredTensor {
  const shape = transposed ? logical.toReversed() : logical;
  const source = tensors.get(name);
  if (!source)
    throw new Blip2Error('MISSING_WEIGHT', `The checkpoint has no tensor ${name}`, {
      expected: `[${shape.join(', ')}]`,
      where: folder,
      subject: name,
      fix: 'Use a complete checkpoint whose config.json names this architecture',
    });
  if (source.shape.length === shape.length && source.shape.every((axis, index) => axis === shape[index])) return source;
  throw new Blip2Error('SHAPE_MISMATCH', `The tensor ${name} has the wrong shape`, {
    expected: `[${shape.join(', ')}]`,
    got: `[${source.shape.join(', ')}]`,
    where: source.file,
    subject: name,
    fix: 'Use the config.json that belongs to these weights',
  });
}

/** Runs `create` for a file, or waits for the call that is already running. */
async function shareInProgress(file: string, create: () => Promise<void>): Promise<void> {
  const running = inProgress.get(file);
  if (running) {
    // If the other caller aborts, the file is still missing, and it is our turn.
    await running.catch(() => undefined);
    if (inProgress.has(file)) return shareInProgress(file, create);
  }
  const created = create().finally(() => inProgress.delete(file));
  inProgress.set(file, created);
  return created;
}

/** Converts, unless another process does so meanwhile. */
async function convertUnlessDone(
  file: string,
  conversions: readonly Conversion[],
  key: string,
  store: WeightStore,
  options: ConversionOptions,
): Promise<void> {
  const isDone = async (): Promise<boolean> => (await openConverted(file, conversions)) !== undefined;
  const lock = await acquireLock(dirname(file), basename(file, '.safetensors'), { signal: options.signal, isDone });
  if (!lock) return;
  try {
    if (!(await isDone())) await convertFile(file, conversions, key, store, options);
  } catch (error) {
    throw error instanceof Blip2Error && error.code === 'WRITE_FAILED' ? withCacheRemedy(file, error) : error;
  } finally {
    await lock.release();
  }
}

/** Replaces the remedy of a write failure: the user has not chosen this folder, so tell how to choose another. */
function withCacheRemedy(file: string, cause: Blip2Error): Blip2Error {
  const { expected, got = cause.message } = cause.details;
  return new Blip2Error('WRITE_FAILED', 'Converted weights cannot be written', {
    where: dirname(file),
    got,
    fix: ANOTHER_CACHE,
    cause,
    ...defined({ expected }),
  });
}
