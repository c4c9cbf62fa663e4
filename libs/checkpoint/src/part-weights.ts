import type { WeightStore } from '@blip2/interfaces';
import { openCheckpoint } from './open-checkpoint.ts';

/** The weights of one part: a checkpoint, and the path under which the part's tensors begin. */
export interface PartWeights extends AsyncDisposable {
  readonly store: WeightStore;
  /** `''` where the checkpoint holds this part alone. */
  readonly prefix: string;
}

/** Opens a folder for one part, which lies under `path` in a whole model's checkpoint and at the root in one of its own. */
export async function openPartWeights(folder: string, path: string): Promise<PartWeights> {
  return partWeights(await openCheckpoint(folder), path);
}

export function partWeights(store: WeightStore, path: string): PartWeights {
  const whole = [...store.tensors.keys()].some((name) => name.startsWith(`${path}.`));
  return { store, prefix: whole ? path : '', [Symbol.asyncDispose]: async () => {} };
}
