import type { PlannedWeight, StoredTensor } from '@blip2/interfaces';

import { planFile } from './converted-layout.ts';

/** Stands for the tensor that a weight is made from: sizes do not depend on it. */
const ANY_SOURCE: Omit<StoredTensor, 'name' | 'shape'> = { dtype: 'F32', file: '', byteOffset: 0, byteLength: 0 };

/**
 * Bytes of the file that `convertedWeights` would make of a plan; `folder` is that of the checkpoint, which the file
 * names.
 */
export function plannedBytes(plan: readonly PlannedWeight[], folder: string): number {
  return planFile(
    plan.map((weight) => ({ ...weight, source: { ...ANY_SOURCE, name: weight.name, shape: weight.shape } })),
    { format: 'blip2', source: folder },
    folder,
  ).fileBytes;
}
