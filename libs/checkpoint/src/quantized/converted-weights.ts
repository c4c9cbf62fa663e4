import { realpath } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';

import {
  acquireLock,
  makeFolder,
  requireSpace,
  syncFolder,
  systemCode,
  wrapWriteErrors,
  writeAll,
  writePending,
} from '@blip2/files';
import {
  Blip2Error,
  defined,
  type LoadProgress,
  type NormFold,
  type PlannedWeight,
  type QuantizedWeight,
  type StoredTensor,
  type WeightStore,
} from '@blip2/interfaces';

import { readHeader } from '../safetensors/read-header.ts';
import { convertedFolder, defaultCacheFolder, markUsed, packedFolderOf, removeAbandoned } from './cache-folder.ts';
import { contentKey } from './content-key.ts';
import { convertAll } from './conversion-pool.ts';
import { taskBytes } from './convert-rows.ts';
import { type ConvertedLayout, planFile } from './converted-layout.ts';
import { originMetadata, originOf } from './converted-origin.ts';
import { featureFactors } from './feature-factors.ts';
import { fileChecksum } from './file-checksum.ts';
import { blockSizeFor, type Conversion, scalesName, valuesName } from './weight-plan.ts';

export interface ConversionOptions {
  /** Folder of converted weights. Default: `$BLIP2_CACHE`, or `blip2` in the user's folder for caches. */
  readonly convertedDir?: string;
  readonly signal?: AbortSignal;
  readonly onProgress?: (progress: LoadProgress) => void;
  /** Threads that convert. Default: one per core. */
  readonly conversionThreads?: number;
}

/** As long as any other, so that the header keeps its length when the checksum is known. */
const UNKNOWN_CHECKSUM = '00000000';

/** Bytes of integers from which what the runtime makes of them is kept. */
const WORTH_PACKING = 64 * 1024 ** 2;

const ANOTHER_CACHE = 'Set BLIP2_CACHE to a folder that can be written and has room, or see what `blip2 cache` holds';

/** Conversions in progress in this process, by file: whoever asks for the same one waits for it. */
const inProgress = new Map<string, Promise<void>>();

/**
 * The weights of `plan` as it wants them, from a file of the cache, which is made first if it is not there: streamed,
 * on all cores, under a temporary name until it is
 * complete. Of several processes that want the same file one makes it, and the others wait. `label` begins the file's
 * name.
 *
 * Fails with `MISSING_WEIGHT`, `UNSUPPORTED_DTYPE`, `INVALID_CHECKPOINT` (weights that are no finite numbers, or that
 * changed meanwhile), `WRITE_FAILED` or an `AbortError`; then nothing is left.
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
  const ready = await openConverted(file, plan);
  if (ready) {
    await markUsed(file);
    return ready;
  }
  await makeFolder(folder).catch((cause: unknown) => {
    throw new Blip2Error('WRITE_FAILED', 'The folder of converted weights cannot be made', {
      where: folder,
      fix: ANOTHER_CACHE,
      cause,
      ...defined({ got: systemCode(cause) }),
    });
  });
  await removeAbandoned(folder);
  await once(file, () => convertAlone(file, conversions, key, store, options));
  const made = await openConverted(file, plan);
  if (made) return made;
  throw new Blip2Error('INVALID_CHECKPOINT', 'A converted file was removed or changed as soon as it was made', {
    where: file,
  });
}

function sourceOf({ tensors, folder }: WeightStore, { name, shape }: PlannedWeight): StoredTensor {
  const source = tensors.get(name);
  if (!source)
    throw new Blip2Error('MISSING_WEIGHT', `The checkpoint has no tensor ${name}`, {
      expected: `[${shape.join(', ')}]`,
      where: folder,
      fix: 'Use a complete checkpoint whose config.json names this architecture',
    });
  if (source.shape.length === shape.length && source.shape.every((axis, index) => axis === shape[index])) return source;
  throw new Blip2Error('SHAPE_MISMATCH', `The tensor ${name} has the wrong shape`, {
    expected: `[${shape.join(', ')}]`,
    got: `[${source.shape.join(', ')}]`,
    where: source.file,
    fix: 'Use the config.json that belongs to these weights',
  });
}

async function once(file: string, make: () => Promise<void>): Promise<void> {
  const running = inProgress.get(file);
  if (running) {
    // Another caller's abort is not ours: then the file is still missing, and it is our turn.
    await running.catch(() => undefined);
    if (inProgress.has(file)) return once(file, make);
  }
  const made = make().finally(() => inProgress.delete(file));
  inProgress.set(file, made);
  return made;
}

/** Converts, unless another process does it meanwhile. */
async function convertAlone(
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
    if (!(await isDone())) await convert(file, conversions, key, store, options);
  } catch (error) {
    throw isWriteFailure(error) ? notWritten(file, error) : error;
  } finally {
    await lock.release();
  }
}

function isWriteFailure(error: unknown): error is Blip2Error {
  return error instanceof Blip2Error && error.code === 'WRITE_FAILED';
}

/** Says of a failed write what can be done about it here: the folder is not one that the user has named. */
function notWritten(file: string, cause: Blip2Error): Blip2Error {
  const { expected, got = cause.message } = cause.details;
  return new Blip2Error('WRITE_FAILED', 'Converted weights cannot be written', {
    where: dirname(file),
    got,
    ...(expected !== undefined && { expected }),
    fix: ANOTHER_CACHE,
    cause,
  });
}

async function convert(
  file: string,
  conversions: readonly Conversion[],
  key: string,
  store: WeightStore,
  { signal, onProgress, conversionThreads }: ConversionOptions,
): Promise<void> {
  const folded = await withFactors(conversions, store);
  const origin = await originOf(conversions);
  const layoutWith = (crc32: string): ConvertedLayout => planFile(folded, originMetadata({ ...origin, crc32 }), file);
  const { head, fileBytes, tasks } = layoutWith(UNKNOWN_CHECKSUM);
  const total = tasks.reduce((sum, task) => sum + taskBytes(task), 0);
  await requireSpace(dirname(file), fileBytes);
  let loaded = 0;
  const pending = await writePending(file, async (handle) => {
    await wrapWriteErrors(file, handle.truncate(fileBytes));
    await convertAll(tasks, handle.fd, {
      threads: conversionThreads,
      signal,
      onConverted: (task) => {
        loaded += taskBytes(task);
        onProgress?.({ stage: 'convert', file: basename(file), loaded, total });
      },
    });
    await writeAll(handle, layoutWith(await fileChecksum(handle, head.byteLength, fileBytes, file, signal)).head, file);
    if ((await contentKey(conversions)) !== key)
      throw new Blip2Error('INVALID_CHECKPOINT', 'The checkpoint changed while it was converted', {
        where: store.folder,
        fix: 'Load it again',
      });
  });
  try {
    await pending.commit();
  } catch (error) {
    await pending.discard();
    throw error;
  }
  await syncFolder(dirname(file));
}

/** The conversions with what their folds make of them. */
async function withFactors(conversions: readonly Conversion[], store: WeightStore): Promise<Conversion[]> {
  const known = new Map<string, Promise<Float32Array | undefined>>();
  const factorsOf = (fold: NormFold): Promise<Float32Array | undefined> => {
    const made = known.get(fold.norm) ?? featureFactors(store, fold);
    known.set(fold.norm, made);
    return made;
  };
  const result: Conversion[] = [];
  for (const conversion of conversions) {
    const { name, fold } = conversion;
    const factors = fold && (await factorsOf(fold));
    if (!fold || !factors) result.push(conversion);
    else
      result.push({
        ...conversion,
        factors: fold.layers.includes(name) ? factors : factors.map((factor) => 1 / factor),
      });
  }
  return result;
}

/** A converted file, checked by its header; nothing if there is none or it is not whole. */
async function openConverted(path: string, plan: readonly PlannedWeight[]): Promise<WeightStore | undefined> {
  const file = await realpath(path).catch(() => undefined);
  if (file === undefined) return undefined;
  const header = await readHeader(file).catch(() => undefined);
  const stored = new Map(header?.tensors.map((tensor) => [tensor.name, tensor]));
  const tensors = new Map<string, StoredTensor>();
  const quantized = new Map<string, QuantizedWeight>();
  for (const weight of plan) {
    const values = stored.get(valuesName(weight));
    if (!values) return undefined;
    if (weight.precision === 'fp32') {
      tensors.set(weight.name, values);
      continue;
    }
    const scales = stored.get(scalesName(weight));
    if (!scales) return undefined;
    quantized.set(weight.name, quantizedWeight(weight, values, scales));
  }
  const integers = [...quantized.values()].reduce((sum, { values }) => sum + values.byteLength, 0);
  // What is small is laid out in no time.
  return {
    folder: dirname(file),
    tensors,
    quantized,
    ...(integers >= WORTH_PACKING && { packedFolder: packedFolderOf(file) }),
  };
}

function quantizedWeight(
  { precision, shape }: PlannedWeight,
  values: StoredTensor,
  scales: StoredTensor,
): QuantizedWeight {
  if (precision === 'q8' || precision === 'q4')
    return { precision, shape, blockSize: blockSizeFor(shape[1] ?? 1), values, scales };
  return { precision: 'int8', shape, values, scales };
}
