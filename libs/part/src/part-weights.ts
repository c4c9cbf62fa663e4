import { openModelWeights, type WeightChanges } from '@blip2/checkpoint';
import { commonFolder } from '@blip2/files';
import type { WeightStore } from '@blip2/interfaces';

/** The weights of one part: a checkpoint, and the path of the part's tensors in it. */
export interface PartWeights extends AsyncDisposable {
  readonly store: WeightStore;
  /** `''` if the checkpoint holds this part alone. */
  readonly prefix: string;
  /** The checkpoint that `store` was converted from, if it was converted. */
  readonly original?: WeightStore;
  /** The same weights in a form that is faster for products of few rows. Default: `store`. */
  readonly decodeStore?: WeightStore;
  /** What is saved, if adapters were merged: the weights, and what the adapters change. */
  readonly saved?: SavedWeights;
}

/** Weights that are merged with adapters when they are saved. */
export interface SavedWeights {
  /** The weights with the tensors that adapters replace. */
  readonly store: WeightStore;
  /** The weights without adapters, whose types are kept. */
  readonly base: WeightStore;
  readonly changes: WeightChanges;
}

/** What the names of tensors at `path` start with: the path and a dot, or nothing at the root. */
export function pathStart(path: string): string {
  return path === '' ? '' : `${path}.`;
}

/**
 * Opens a folder for one part: its tensors are below one of `paths` in the checkpoint of a full model, and at the root
 * in a checkpoint of the part alone. LAVIS parameter names are mapped to those of Hugging Face Transformers.
 */
export async function openPartWeights(folder: string, ...paths: readonly string[]): Promise<PartWeights> {
  const weights = await openModelWeights(folder, (name) => paths.some((path) => name.startsWith(`${path}.`)));
  return { ...partWeights(weights, ...paths), [Symbol.asyncDispose]: async () => weights[Symbol.asyncDispose]() };
}

/** The part at the first of `paths` that an open checkpoint has. It stays open when the part is disposed. */
export function partWeights(store: WeightStore, ...paths: readonly string[]): PartWeights {
  const names = [...store.tensors.keys()];
  const prefix = paths.find((path) => names.some((name) => name.startsWith(`${path}.`))) ?? '';
  return { store, prefix, [Symbol.asyncDispose]: async () => {} };
}

/**
 * A part in which the tensors accepted by `replaced`, a predicate on names from the part's root, come from another
 * checkpoint. Disposing the result disposes both.
 */
export function overlayPartWeights(
  weights: PartWeights,
  over: PartWeights,
  replaced: (name: string) => boolean,
): PartWeights {
  const tensors = new Map(weights.store.tensors);
  const start = pathStart(over.prefix);
  for (const tensor of over.store.tensors.values()) {
    const name = tensor.name.slice(start.length);
    const own = `${pathStart(weights.prefix)}${name}`;
    if (tensor.name.startsWith(start) && replaced(name)) tensors.set(own, { ...tensor, name: own });
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
