import { mergedTensorSource, saveCheckpoint, type SaveOptions, type TensorSource } from '@blip2/checkpoint';
import { Blip2Error, type StoredType, type WeightStore } from '@blip2/interfaces';
import { ADDED_BIAS } from '@blip2/onnx';

import { type PartWeights, pathStart } from './part-weights.ts';

/** `torch_dtype` of each float type. */
const DTYPE_NAMES: Readonly<Partial<Record<StoredType, string>>> = {
  F64: 'float64',
  F32: 'float32',
  F16: 'float16',
  BF16: 'bfloat16',
};

/** The `torch_dtype` that a configuration gives for these weights: the type of the first float tensor. */
export function torchDtype(tensors: readonly { readonly dtype: StoredType }[]): string {
  return tensors.map(({ dtype }) => DTYPE_NAMES[dtype]).find((name) => name !== undefined) ?? 'float32';
}

export interface SavePartOptions extends SaveOptions {
  /** Path of the part's tensors in the new checkpoint. Default: its root. */
  readonly path?: string;
}

/**
 * Writes the weights of one part to a checkpoint of its own, with `others` in addition unless a tensor of that name
 * exists. Adapters are merged. Streams. Returns the type of the weights, as `torch_dtype` names it.
 * @throws Blip2Error the codes of `saveCheckpoint` and `expectSavable`.
 */
export async function savePartWeights(
  folder: string,
  { store, original = store, saved = { store: original, base: original, changes: new Map() }, prefix }: PartWeights,
  { path = '', ...options }: SavePartOptions = {},
  others: readonly TensorSource[] = [],
): Promise<string> {
  expectSavable(saved.store);
  const start = pathStart(prefix);
  const own = [...saved.store.tensors.values()]
    .filter(({ name }) => name.startsWith(start))
    .map((tensor) =>
      mergedTensorSource(tensor, {
        name: `${pathStart(path)}${tensor.name.slice(start.length)}`,
        dtype: saved.base.tensors.get(tensor.name)?.dtype ?? tensor.dtype,
        changes: saved.changes.get(tensor.name) ?? [],
      }),
    );
  const names = new Set(own.map(({ name }) => name));
  await saveCheckpoint(folder, [...own, ...others.filter(({ name }) => !names.has(name))], options);
  return options.dtype ?? torchDtype(own);
}

/**
 * Checks that merged weights can be saved as a model.
 * @throws Blip2Error `INVALID_STATE` if an adapter adds a bias to a layer without one (`lora_bias`): the architecture
 * has no place for it.
 */
export function expectSavable({ tensors }: Pick<WeightStore, 'tensors'>): void {
  const added = [...tensors.keys()].find((name) => name.endsWith(`.${ADDED_BIAS}`));
  if (added !== undefined)
    throw new Blip2Error('INVALID_STATE', 'A model with this adapter cannot be saved: it adds a bias to a layer', {
      subject: added,
      fix: 'Load the base model with the adapter instead',
    });
}
