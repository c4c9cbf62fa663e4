import { basename, dirname } from 'node:path';

import {
  fileChecksum,
  markVerified,
  requireSpace,
  syncFolder,
  wrapWriteErrors,
  writeAll,
  writePending,
} from '@blip2/files';
import { Blip2Error, type NormFold, type WeightStore } from '@blip2/interfaces';

import { prepareChange } from '../adapters/changed-rows.ts';
import { recordedFile } from './cache-folder.ts';
import { contentKey } from './content-key.ts';
import type { ConversionOptions } from './conversion-options.ts';
import { convertAll } from './conversion-pool.ts';
import { baseRows, taskBytes } from './convert-rows.ts';
import { type ConvertedLayout, planFile, rowLayout } from './converted-layout.ts';
import { headerChecksum, originMetadata, originOf, UNKNOWN_CHECKSUM } from './converted-origin.ts';
import { featureFactors } from './feature-factors.ts';
import type { Conversion } from './weight-plan.ts';

/**
 * Creates a converted file. `key` is the content key of the conversions; the file is discarded if it changes meanwhile.
 * The factors of folds are computed from the tensors of `store`.
 * @throws Blip2Error as `convertedWeights`.
 */
export async function convertFile(
  file: string,
  conversions: readonly Conversion[],
  key: string,
  store: WeightStore,
  { signal, onProgress, conversionThreads }: Omit<ConversionOptions, 'convertedDir'>,
): Promise<void> {
  const folded = withPrepared(await withFactors(conversions, store));
  const origin = await originOf(conversions);
  const layoutWith = (crc32: string, headerCrc32: string): ConvertedLayout =>
    planFile(folded, originMetadata({ ...origin, crc32, headerCrc32 }), file);
  const { head, fileBytes, tasks } = layoutWith(UNKNOWN_CHECKSUM, UNKNOWN_CHECKSUM);
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
    const crc32 = await fileChecksum(handle, { begin: head.byteLength, end: fileBytes, signal });
    const headerCrc32 = headerChecksum(layoutWith(crc32, UNKNOWN_CHECKSUM).head);
    await writeAll(handle, layoutWith(crc32, headerCrc32).head, file);
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
  await markVerified(recordedFile(file));
  await syncFolder(dirname(file));
}

/** Adds the factors of norm folds to the conversions. */
async function withFactors(conversions: readonly Conversion[], store: WeightStore): Promise<Conversion[]> {
  const byNorm = new Map<string, Promise<Float32Array | undefined>>();
  const factorsOf = (fold: NormFold): Promise<Float32Array | undefined> => {
    const factors = byNorm.get(fold.norm) ?? featureFactors(store, fold);
    byNorm.set(fold.norm, factors);
    return factors;
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

/** Adds to the changes of adapters what they need to know about whole tensors. */
function withPrepared(conversions: readonly Conversion[]): Conversion[] {
  return conversions.map((conversion) => {
    const { name, source, changes, transposed = false } = conversion;
    if (!changes) return conversion;
    const { rows, inner, step } = rowLayout(conversion);
    const { file, dtype, byteOffset: sourceOffset } = source;
    const base = { name, file, dtype, sourceOffset, rows, inner, ...(transposed && { transposed }) } as const;
    const readRows = (begin: number, end: number): Float32Array => baseRows({ ...base, begin, end });
    const layout = { rows, inner, transposed };
    return { ...conversion, prepared: changes.map((change) => prepareChange(change, layout, readRows, step)) };
  });
}
