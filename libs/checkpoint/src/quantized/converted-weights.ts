import { rm, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';

import { acquireLock, defaultCacheFolder, makeFolder, markUsed, requireVersions, systemCode } from '@blip2/files';
import {
  Blip2Error,
  defined,
  type PlannedWeight,
  type StoredTensor,
  type VersionedFile,
  type WeightStore,
} from '@blip2/interfaces';

import type { WeightChanges } from '../adapters/weight-change.ts';
import { convertedFolder, packedFolderOf, recordedFile, removeAbandoned } from './cache-folder.ts';
import { contentKey } from './content-key.ts';
import type { ConversionOptions } from './conversion-options.ts';
import { convertFile } from './convert-file.ts';
import { openIntact } from './open-converted.ts';
import { type Conversion, conversionSources } from './weight-plan.ts';

const ANOTHER_CACHE =
  'Set BLIP2_CACHE to a writable folder with enough space, or list the cached files with `blip2 cache`';

/** Milliseconds between two looks at the files of other machines during a conversion. */
const LOOK_INTERVAL = 5_000;

/** What adapters make of the weights that are converted. */
export interface AdaptedConversion {
  readonly changes: WeightChanges;
  /** The weights without adapters. Folds have the factors of the base, which its other weights were converted with. */
  readonly base: WeightStore;
}

function adaptedBy(
  { changes, base }: AdaptedConversion,
  { name, fold }: PlannedWeight,
): Pick<Conversion, 'changes' | 'foldSources'> {
  const foldSources = fold && [fold.norm, ...fold.layers].flatMap((each) => base.tensors.get(each) ?? []);
  return defined({ changes: changes.get(name), foldSources });
}

/** Conversions in progress in this process, by file. Concurrent callers share them. */
const inProgress = new Map<string, Promise<void>>();

/**
 * Returns the weights of `plan` at their planned precisions, from a file in the cache. A missing file is created first:
 * streamed, on all cores, under a temporary name until it is complete. If several processes need the same file, one
 * creates it and the others wait. The file name starts with `label`. On failure nothing is left. The changes of
 * adapters are merged during the conversion; the file is keyed by their content too.
 * @throws Blip2Error `MISSING_WEIGHT`, `SHAPE_MISMATCH`, `UNSUPPORTED_DTYPE`, `INVALID_CHECKPOINT` (weights that are
 * not finite, or that changed during the conversion), `MISSING_FILE`, `WRITE_FAILED`, `WORKER_FAILED`; the signal's
 * reason.
 */
export async function convertedWeights(
  store: WeightStore,
  plan: readonly PlannedWeight[],
  label: string,
  options: ConversionOptions = {},
  adapted?: AdaptedConversion,
): Promise<WeightStore> {
  const conversions = plan.map((weight) => ({
    ...weight,
    source: sourceOf(store, weight),
    ...(adapted && adaptedBy(adapted, weight)),
  }));
  const key = await contentKey(conversions);
  const cache = options.convertedDir ?? defaultCacheFolder();
  const folder = convertedFolder(cache);
  const file = join(folder, `${label}-${key}.safetensors`);
  options.signal?.throwIfAborted();
  // The key belongs to the files as they are now, the offsets of the tensors to those that were opened.
  await requireVersions(versionsOf(conversions));
  await removeAbandoned(folder);
  const cached = await openIntact(file, plan, options.signal);
  if (cached) {
    await markUsed(recordedFile(file));
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
  await shareInProgress(file, () => convertUnlessDone(file, conversions, key, adapted?.base ?? store, options));
  const created = await openIntact(file, plan, options.signal);
  if (created) return created;
  throw new Blip2Error('INVALID_CHECKPOINT', 'A converted file was deleted or changed right after it was created', {
    where: file,
    fix: 'Load the model again',
  });
}

/** The source files in the versions that were opened. */
function versionsOf(conversions: readonly Conversion[]): readonly VersionedFile[] {
  const versions = new Map<string, VersionedFile>();
  for (const { file, version } of conversions.flatMap(conversionSources))
    if (version !== undefined) versions.set(`${file}\0${version}`, { file, version });
  return [...versions.values()];
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
  const folder = dirname(file);
  const isDone = async (): Promise<boolean> => {
    // Looks at the files of other machines, so that those left by the owner of an abandoned lock are removed with it.
    await removeAbandoned(folder);
    return (await openIntact(file, conversions, options.signal)) !== undefined;
  };
  const lock = await acquireLock(folder, basename(file, '.safetensors'), { signal: options.signal, isDone });
  if (!lock) return;
  // Files of other machines count as abandoned after several looks.
  const looks = setInterval(() => void removeAbandoned(folder), LOOK_INTERVAL);
  try {
    if (await isDone()) return;
    await removeDamaged(file);
    await convertFile(file, conversions, key, store, options);
  } catch (error) {
    throw error instanceof Blip2Error && error.code === 'WRITE_FAILED' ? withCacheRemedy(file, error) : error;
  } finally {
    clearInterval(looks);
    await lock.release();
  }
}

/** Deletes a file whose contents do not match its checksum, and the prepacked weights created from it. */
async function removeDamaged(file: string): Promise<void> {
  if ((await stat(file).catch(() => undefined)) !== undefined)
    process.emitWarning(`${file} is damaged and is created again`, { code: 'BLIP2_DAMAGED_CACHE' });
  for (const path of [file, recordedFile(file).record, packedFolderOf(file)])
    await rm(path, { recursive: true, force: true }).catch(() => undefined);
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
