import type { LowRankChange, WeightChange } from '@blip2/checkpoint';
import { Blip2Error, type StoredTensor } from '@blip2/interfaces';
import { ADDED_BIAS } from '@blip2/onnx';

import type { PlacedAdapters } from './placed-adapters.ts';
import type { AdaptedModule } from './read-adapter.ts';

/** The name of the bias of a layer, by that of its weight. */
export const biasOf = (weight: string): string => weight.replace(/weight$/, 'bias');
/** The name of a bias that is added to a layer without one. */
export const addedBiasOf = (weight: string): string => weight.replace(/weight$/, ADDED_BIAS);

/**
 * The changes of the weights of a part. `isTransposed` tells the matrices that are stored as `[in, out]`.
 * @throws Blip2Error `SHAPE_MISMATCH` for an adapter of another base model.
 */
export function weightChanges(
  { base, modules }: Pick<PlacedAdapters, 'base' | 'modules'>,
  isTransposed: (name: string) => boolean,
): ReadonlyMap<string, readonly WeightChange[]> {
  const changes = new Map<string, WeightChange[]>();
  const add = (name: string, change: WeightChange): void =>
    void changes.set(name, [...(changes.get(name) ?? []), change]);
  for (const [name, adapted] of modules)
    for (const module of adapted) {
      const stored = base.tensors.get(name);
      if (!stored) continue;
      const transposed = module.kind === 'embedding' || isTransposed(name);
      expectShapes(module, stored, transposed);
      const { a, b, rank, scaling, magnitude, bias } = module;
      const change: LowRankChange = {
        kind: 'lowRank',
        a,
        b,
        rank,
        scaling,
        transposed,
        ...(magnitude && { magnitude }),
      };
      add(name, change);
      if (!bias) continue;
      expectShape(bias, [transposed ? (stored.shape[1] ?? 0) : (stored.shape[0] ?? 0)], stored);
      const own = base.tensors.has(biasOf(name)) ? biasOf(name) : addedBiasOf(name);
      // The first one that is added to a layer without a bias is its bias already, unscaled.
      const share = own === addedBiasOf(name) && !changes.has(own) ? 1 : 0;
      add(own, { kind: 'added', tensor: bias, scaling: scaling - share });
    }
  return changes;
}

function expectShapes({ a, b, magnitude, rank, kind }: AdaptedModule, stored: StoredTensor, transposed: boolean): void {
  const [first = 0, ...rest] = stored.shape;
  const out = transposed ? (rest[0] ?? 0) : first;
  const inner = transposed ? [first] : rest;
  const ones = kind === 'linear' && rest.length > 1 ? rest.slice(1).map(() => 1) : [];
  expectShape(a, [rank, ...inner], stored);
  expectShape(b, [out, rank, ...ones], stored);
  if (magnitude) expectShape(magnitude, ones.length > 0 ? [1, out, ...ones] : [out], stored);
}

/**
 * Checks that a tensor can replace one of the base, if that has it.
 * @throws Blip2Error `SHAPE_MISMATCH`
 */
export function expectSameShape(name: string, tensor: StoredTensor, base: StoredTensor | undefined): void {
  if (base) expectShape({ ...tensor, name }, base.shape, base);
}

function expectShape(tensor: StoredTensor, expected: readonly number[], base: StoredTensor): void {
  if (tensor.shape.join() === expected.join()) return;
  throw new Blip2Error('SHAPE_MISMATCH', `The tensor ${tensor.name} does not fit ${base.name} of the base model`, {
    expected: `[${expected.join(', ')}]`,
    got: `[${tensor.shape.join(', ')}]`,
    where: tensor.file,
    subject: tensor.name,
    fix: 'Use the base model that the adapter was trained for (base_model_name_or_path)',
  });
}
