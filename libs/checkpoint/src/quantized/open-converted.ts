import { realpath } from 'node:fs/promises';
import { dirname } from 'node:path';

import { verifyOnce } from '@blip2/files';
import {
  defined,
  type PlannedWeight,
  type QuantizedWeight,
  type StoredTensor,
  type WeightStore,
} from '@blip2/interfaces';

import { readHeader } from '../safetensors/read-header.ts';
import { packedFolderOf, recordedFile } from './cache-folder.ts';
import { plannedTensors } from './converted-layout.ts';
import { verifyContents } from './verify-conversion.ts';
import { blockSizeFor, scalesName, valuesName } from './weight-plan.ts';

/** Bytes of quantized weights from which the runtime caches prepacked weights. Smaller models prepack quickly. */
const WORTH_PACKING = 64 * 1024 ** 2;

/** A converted file with a valid header, and its contents as weights. */
export interface OpenedConversion {
  /** Path with links resolved. */
  readonly file: string;
  readonly store: WeightStore;
}

/**
 * Opens a converted file. `undefined` if it does not exist, or its header is not the one that is written for the plan.
 * Its contents are not read.
 */
export async function openConverted(
  path: string,
  plan: readonly PlannedWeight[],
): Promise<OpenedConversion | undefined> {
  const file = await realpath(path).catch(() => undefined);
  if (file === undefined) return undefined;
  const header = await readHeader(file).catch(() => undefined);
  if (!header || !isPlanned(header.tensors, plan)) return undefined;
  const stored = new Map(header.tensors.map((tensor) => [tensor.name, tensor]));
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
  const packedFolder = integers >= WORTH_PACKING ? packedFolderOf(file) : undefined;
  return { file, store: { folder: dirname(file), tensors, quantized, ...defined({ packedFolder }) } };
}

/**
 * Opens a converted file and compares its contents with their checksum, once after each start of the machine and after
 * each change of the file. `undefined` if it does not exist or is damaged.
 * @throws the signal's reason.
 */
export async function openIntact(
  path: string,
  plan: readonly PlannedWeight[],
  signal?: AbortSignal,
): Promise<WeightStore | undefined> {
  const opened = await openConverted(path, plan);
  if (!opened) return undefined;
  const verdict = await verifyOnce(recordedFile(path), async () =>
    (await verifyContents(opened.file, signal)) === 'ok' ? 'ok' : 'damaged',
  );
  return verdict === 'ok' ? opened.store : undefined;
}

/** Whether a file has exactly the tensors of a plan. They are contiguous, so equal order means equal offsets. */
function isPlanned(stored: readonly StoredTensor[], plan: readonly PlannedWeight[]): boolean {
  const planned = plannedTensors(plan);
  return (
    stored.length === planned.length &&
    planned.every(({ name, dtype, shape }, index) => {
      const found = stored[index];
      return found?.name === name && found.dtype === dtype && found.shape.join() === shape.join();
    })
  );
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
