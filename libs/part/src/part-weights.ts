import { type ConversionOptions, convertedWeights } from '@blip2/checkpoint';
import { openModelWeights } from '@blip2/checkpoint';
import {
  createRandomCheckpoint,
  type Initializer,
  type RandomCheckpointOptions,
  type RandomTensor,
} from '@blip2/checkpoint';
import { saveCheckpoint, type SaveOptions } from '@blip2/checkpoint';
import { storedTensorSource, type TensorSource } from '@blip2/checkpoint';
import { commonFolder } from '@blip2/files';
import type { PlannedWeight, StoredType, WeightStore } from '@blip2/interfaces';

/** The weights of one part: a checkpoint, and the path under which the part's tensors begin. */
export interface PartWeights extends AsyncDisposable {
  readonly store: WeightStore;
  /** `''` where the checkpoint holds this part alone. */
  readonly prefix: string;
  /** The checkpoint, where `store` is what has been made from it. */
  readonly original?: WeightStore;
  /** The same weights in a form that is quicker for products of few rows, where there is one. */
  readonly fewRows?: WeightStore;
}

/**
 * Opens a folder for one part, which lies under `path` in a whole model's checkpoint and at the root in one of its own.
 * Checkpoints with the names of LAVIS appear under those of the Hugging Face layout.
 */
export async function openPartWeights(folder: string, path: string): Promise<PartWeights> {
  const weights = await openModelWeights(folder, (name) => name.startsWith(`${path}.`));
  return { ...partWeights(weights, path), [Symbol.asyncDispose]: async () => weights[Symbol.asyncDispose]() };
}

export function partWeights(store: WeightStore, path: string): PartWeights {
  const whole = [...store.tensors.keys()].some((name) => name.startsWith(`${path}.`));
  return { store, prefix: whole ? path : '', [Symbol.asyncDispose]: async () => {} };
}

/**
 * The same part with those tensors of another checkpoint in place of its own whose names, from the part's root,
 * `wanted` picks. Both are disposed of with the result.
 */
export function overlayPartWeights(
  weights: PartWeights,
  over: PartWeights,
  wanted: (name: string) => boolean,
): PartWeights {
  const tensors = new Map(weights.store.tensors);
  for (const tensor of over.store.tensors.values()) {
    const name = over.prefix === '' ? tensor.name : tensor.name.replace(`${over.prefix}.`, '');
    const own = weights.prefix === '' ? name : `${weights.prefix}.${name}`;
    if (wanted(name) && (over.prefix === '' || tensor.name.startsWith(`${over.prefix}.`)))
      tensors.set(own, { ...tensor, name: own });
  }
  const [first = '', ...rest] = [...tensors.values()].map(({ file }) => file);
  return {
    store: { folder: commonFolder([first, ...rest]), tensors },
    prefix: weights.prefix,
    async [Symbol.asyncDispose]() {
      await weights[Symbol.asyncDispose]();
      await over[Symbol.asyncDispose]();
    },
  };
}

/**
 * The same part over what `plan` makes of its weights; as it is where there is no plan. `label` begins the name of the
 * file. Fails as `convertedWeights` does.
 */
export async function convertPartWeights(
  weights: PartWeights,
  plan: readonly PlannedWeight[] | undefined,
  label: string,
  options?: ConversionOptions,
): Promise<PartWeights> {
  if (!plan) return weights;
  return { ...weights, store: await convertedWeights(weights.store, plan, label, options), original: weights.store };
}

/** `torch_dtype` of each float type. */
const DTYPE_NAMES: Readonly<Partial<Record<StoredType, string>>> = {
  F64: 'float64',
  F32: 'float32',
  F16: 'float16',
  BF16: 'bfloat16',
};

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
  tensors: readonly Pick<RandomTensor, 'name' | 'shape'>[],
  initializer: InitializeTensor,
  { seed, folder, signal, onProgress }: RandomCheckpointOptions = {},
): Promise<PartWeights> {
  const specs = tensors.map(({ name, shape }) => ({ name, shape, init: initializer(name, shape) }));
  const store = await createRandomCheckpoint(specs, {
    ...(seed !== undefined && { seed }),
    ...(folder !== undefined && { folder }),
    signal,
    onProgress,
  });
  return { store, prefix: '', [Symbol.asyncDispose]: store.dispose };
}

/**
 * Writes the weights of one part into a folder of its own, named from its root, with `others` beside them unless they
 * carry a name that is already there.
 * Streams; fails as `saveCheckpoint` does. Returns the type of the weights, as a configuration names it.
 */
export async function savePartWeights(
  folder: string,
  { store, original = store, prefix }: PartWeights,
  options: SaveOptions = {},
  others: readonly TensorSource[] = [],
): Promise<string> {
  const start = prefix === '' ? '' : `${prefix}.`;
  const own = [...original.tensors.values()]
    .filter(({ name }) => name.startsWith(start))
    .map((tensor) => storedTensorSource(tensor, tensor.name.slice(start.length)));
  const names = new Set(own.map(({ name }) => name));
  await saveCheckpoint(folder, [...own, ...others.filter(({ name }) => !names.has(name))], options);
  return options.dtype ?? torchDtype(own);
}
