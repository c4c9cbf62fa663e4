import {
  createRandomCheckpoint,
  type Initializer,
  type RandomCheckpointOptions,
  type RandomTensor,
} from '@blip2/checkpoint';
import { defined } from '@blip2/interfaces';

import type { PartWeights } from './part-weights.ts';

/** How an untrained weight is initialized, by its checkpoint name and shape. */
export type InitializeTensor = (name: string, shape: readonly number[]) => Initializer;

export interface RandomWeightsOptions extends RandomCheckpointOptions {
  /** Default: that of HF, with the standard deviation of the configuration. */
  readonly initializer?: InitializeTensor;
}

/** The usual `_init_weights` of HF: norms one, biases zero, the rest normal with this standard deviation. */
export function transformerInitializer(std: number): InitializeTensor {
  return (name) => {
    if (/norm[^.]*\.weight$/i.test(name)) return { kind: 'ones' };
    return name.endsWith('.bias') ? { kind: 'zeros' } : { kind: 'normal', std };
  };
}

/** Random weights of one part, in a temporary folder that is removed when they are disposed. */
export async function createRandomPartWeights(
  tensors: readonly Pick<RandomTensor, 'name' | 'shape'>[],
  initializer: InitializeTensor,
  { seed, folder, signal, onProgress }: RandomCheckpointOptions = {},
): Promise<PartWeights> {
  const specs = tensors.map(({ name, shape }) => ({ name, shape, init: initializer(name, shape) }));
  const store = await createRandomCheckpoint(specs, { ...defined({ seed, folder }), signal, onProgress });
  return { store, prefix: '', [Symbol.asyncDispose]: store.dispose };
}
