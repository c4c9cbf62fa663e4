import { realpath } from 'node:fs/promises';
import { dirname } from 'node:path';

import {
  defined,
  type PlannedWeight,
  type QuantizedWeight,
  type StoredTensor,
  type WeightStore,
} from '@blip2/interfaces';

import { readHeader } from '../safetensors/read-header.ts';
import { packedFolderOf } from './cache-folder.ts';
import { blockSizeFor, scalesName, valuesName } from './weight-plan.ts';

/** Bytes of quantized weights from which the runtime caches prepacked weights. Smaller models prepack quickly. */
const WORTH_PACKING = 64 * 1024 ** 2;

/** Opens a converted file and checks its header; `undefined` if it does not exist or is not complete. */
export async function openConverted(path: string, plan: readonly PlannedWeight[]): Promise<WeightStore | undefined> {
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
  return {
    folder: dirname(file),
    tensors,
    quantized,
    ...defined({ packedFolder: integers >= WORTH_PACKING ? packedFolderOf(file) : undefined }),
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
