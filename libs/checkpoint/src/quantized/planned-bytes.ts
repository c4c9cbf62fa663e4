import type { PlannedWeight, StoredTensor } from '@blip2/interfaces';

import { planFile } from './converted-layout.ts';

/** Placeholder for the source of a weight: sizes do not depend on it. */
const ANY_SOURCE: Omit<StoredTensor, 'name' | 'shape'> = { dtype: 'F32', file: '', byteOffset: 0, byteLength: 0 };

/** Size in bytes of the file that `convertedWeights` creates for a plan. `folder` is the checkpoint folder. */
export function plannedBytes(plan: readonly PlannedWeight[], folder: string): number {
  return planFile(
    plan.map((weight) => ({ ...weight, source: { ...ANY_SOURCE, name: weight.name, shape: weight.shape } })),
    { format: 'blip2', source: folder },
    folder,
  ).fileBytes;
}
