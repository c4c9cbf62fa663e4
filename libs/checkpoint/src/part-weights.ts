import type { StoredType, WeightStore } from '@blip2/interfaces';
import { openCheckpoint } from './open-checkpoint.ts';
import { createRandomCheckpoint, type Initializer, type RandomCheckpointOptions, type RandomTensor } from './random-checkpoint.ts';
import { saveCheckpoint, type SaveOptions } from './save-checkpoint.ts';
import { storedTensorSource, type TensorSource } from './tensor-source.ts';

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

/** `torch_dtype` of each float type. */
const DTYPE_NAMES: Readonly<Partial<Record<StoredType, string>>> = { F64: 'float64', F32: 'float32', F16: 'float16', BF16: 'bfloat16' };

/** What `torch_dtype` of a configuration says of these weights: the type of the first float tensor. */
export function torchDtype(tensors: readonly { readonly dtype: StoredType }[]): string {
  return tensors.map(({ dtype }) => DTYPE_NAMES[dtype]).find((name) => name !== undefined) ?? 'float32';
}

/** How a weight without training begins, by its checkpoint name and shape. */
export type InitializeTensor = (name: string, shape: readonly number[]) => Initializer;

export interface RandomWeightsOptions extends RandomCheckpointOptions {
  /** Default: the reference's, from the standard deviation of the configuration. */
  readonly initializer?: InitializeTensor;
}

/** What the reference's `_init_weights` do: norms one, biases zero, the rest normal with this standard deviation. */
export function transformerInitializer(std: number): InitializeTensor {
  return (name) => {
    if (/norm[^.]*\.weight$/i.test(name)) return { kind: 'ones' };
    return name.endsWith('.bias') ? { kind: 'zeros' } : { kind: 'normal', std };
  };
}

/** Random weights of one part in a temporary folder, which goes away with them. */
export async function createRandomPartWeights(
  tensors: readonly Pick<RandomTensor, 'name' | 'shape'>[], initializer: InitializeTensor, { seed, folder, signal, onProgress }: RandomCheckpointOptions = {},
): Promise<PartWeights> {
  const specs = tensors.map(({ name, shape }) => ({ name, shape, init: initializer(name, shape) }));
  const store = await createRandomCheckpoint(specs, { ...(seed !== undefined && { seed }), ...(folder !== undefined && { folder }), signal, onProgress });
  return { store, prefix: '', [Symbol.asyncDispose]: store.dispose };
}

/**
 * Writes the weights of one part into a folder of its own, named from its root, with `others` beside them unless they carry a name that is already there.
 * Streams; fails as `saveCheckpoint` does. Returns the type of the weights, as a configuration names it.
 */
export async function savePartWeights(folder: string, { store, prefix }: PartWeights, options: SaveOptions = {}, others: readonly TensorSource[] = []): Promise<string> {
  const start = prefix === '' ? '' : `${prefix}.`;
  const own = [...store.tensors.values()].filter(({ name }) => name.startsWith(start)).map((tensor) => storedTensorSource(tensor, tensor.name.slice(start.length)));
  const names = new Set(own.map(({ name }) => name));
  await saveCheckpoint(folder, [...own, ...others.filter(({ name }) => !names.has(name))], options);
  return options.dtype ?? torchDtype(own);
}
