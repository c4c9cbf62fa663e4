import { join } from 'node:path';

import { type ConversionOptions, convertedWeights, type WeightChanges } from '@blip2/checkpoint';
import { commonFolder } from '@blip2/files';
import { Blip2Error, defined, type PlannedWeight, type StoredTensor, type WeightStore } from '@blip2/interfaces';
import { ADDED_BIAS, type RecordedWeight } from '@blip2/onnx';

import type { PartWeights } from '../part-weights.ts';
import type { PartPlans } from '../plan-part.ts';
import { expectFiniteTensor } from './finite-tensor.ts';
import type { PlacedAdapters } from './placed-adapters.ts';
import { weightChanges } from './weight-changes.ts';

/** How the weights of a part are merged with adapters. */
export interface AdaptOptions {
  readonly plans: PartPlans;
  /** Start of the names of converted files. */
  readonly label: string;
  readonly conversion: ConversionOptions;
  /** All weights that the graphs of the part use. */
  readonly recorded: readonly RecordedWeight[];
}

/**
 * Merges adapters into the weights of a part, which already have the replaced tensors. Only changed tensors are read:
 * they are written to a cached file of their own, and the others stay where they are, mapped in place or in the
 * converted file that the part has without adapters.
 * @throws Blip2Error the codes of `placeAdapters` and `convertedWeights`; `INVALID_CHECKPOINT` for values of an adapter
 * that are not finite.
 */
export async function adaptPartWeights<W extends PartWeights>(
  weights: W,
  placed: PlacedAdapters,
  { plans, label, conversion, recorded }: AdaptOptions,
): Promise<W> {
  const { store } = weights;
  for (const name of placed.replaced) await expectFiniteTensor(replacedTensor(store, placed, name));
  const transposed = new Set(recorded.flatMap(({ name, transposed }) => (transposed ? [name] : [])));
  const changes = weightChanges(placed, (name) => transposed.has(name));
  expectUsed(changes, recorded);
  const base = withoutReplaced(store, placed);
  const merge = (plan: readonly PlannedWeight[]): Promise<WeightStore> =>
    convertedWeights(store, plan, label, conversion, { changes, base });
  const mergeFloats = async (names: Iterable<string>): Promise<WeightStore> => {
    const plan = [...names].flatMap((name): PlannedWeight[] => {
      const tensor = store.tensors.get(name);
      return tensor ? [{ name, shape: tensor.shape, precision: 'fp32' }] : [];
    });
    return plan.length === 0 ? store : overlayStore(store, await merge(plan));
  };
  const saved = { store, base, changes };
  if (!plans.prefill) return { ...weights, saved, store: await mergeFloats(changes.keys()) };

  const convert = async (plan: readonly PlannedWeight[]): Promise<WeightStore> => {
    const ofBase = plan.filter(({ name }) => base.tensors.has(name));
    const converted = await convertedWeights(base, ofBase, label, conversion);
    const own = plan.filter(({ name }) => changes.has(name) || placed.replaced.has(name));
    return own.length === 0 ? converted : overlayStore(converted, await merge(own));
  };
  const embeddings = [...placed.modules].flatMap(([name, modules]) =>
    modules.some(({ kind }) => kind === 'embedding') ? [name] : [],
  );
  return {
    ...weights,
    saved,
    store: await convert(plans.prefill),
    // Tables that are looked up are not converted.
    original: await mergeFloats(embeddings),
    ...defined({ decodeStore: plans.decode && (await convert(plans.decode)) }),
  };
}

/** @throws Blip2Error `UNSUPPORTED_ARCHITECTURE` for a bias that an adapter adds to a layer that cannot have one. */
function expectUsed(changes: WeightChanges, recorded: readonly RecordedWeight[]): void {
  const used = new Set(recorded.map(({ name }) => name));
  const unused = [...changes.keys()].find((name) => name.endsWith(ADDED_BIAS) && !used.has(name));
  if (unused !== undefined)
    throw new Blip2Error('UNSUPPORTED_ARCHITECTURE', 'The adapter adds a bias to a layer that cannot have one', {
      subject: unused,
      fix: 'Train the adapter without lora_bias',
    });
}

function replacedTensor(store: WeightStore, placed: PlacedAdapters, name: string): StoredTensor {
  const tensor = store.tensors.get(name);
  if (tensor && tensor.file === placed.store.tensors.get(name)?.file) return tensor;
  throw new Blip2Error('INVALID_ARGUMENT', `The adapter replaces ${name}, which comes from another checkpoint`, {
    argument: 'adapters',
    subject: name,
    fix: 'Use one source for the part and this tensor',
  });
}

function withoutReplaced(store: WeightStore, { base, replaced }: PlacedAdapters): WeightStore {
  const tensors = new Map(store.tensors);
  for (const name of replaced) {
    const tensor = base.tensors.get(name);
    if (tensor) tensors.set(name, tensor);
    else tensors.delete(name);
  }
  return { ...store, tensors };
}

/** A store in which the weights of another one take the places of those of the same names. */
function overlayStore(store: WeightStore, over: WeightStore): WeightStore {
  const quantized = new Map([...(store.quantized ?? []), ...(over.quantized ?? [])]);
  return {
    ...store,
    folder: commonFolder([store.folder, over.folder].map((folder) => join(folder, 'file')) as [string, string]),
    tensors: new Map([...store.tensors, ...over.tensors]),
    ...(quantized.size > 0 && { quantized }),
  };
}
