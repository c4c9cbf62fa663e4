import { Blip2Error, type Tensor, type TensorSpec } from '@blip2/interfaces';

import type { Value } from './value.ts';

/** Declares one graph output per layer: `name.0`, `name.1`, … */
export function layeredSpecs<T extends TensorSpec>(name: string, count: number, spec: T): Record<string, T> {
  return Object.fromEntries(Array.from({ length: count }, (_, layer) => [`${name}.${layer}`, spec]));
}

/** The values of the outputs that `layeredSpecs` declares. */
export function layeredValues<V extends Value>(name: string, values: readonly V[]): Record<string, V> {
  return Object.fromEntries(values.map((value, layer) => [`${name}.${layer}`, value]));
}

interface DimsOfRank {
  readonly 2: readonly [number, number];
  readonly 3: readonly [number, number, number];
  readonly 4: readonly [number, number, number, number];
}
type Outputs = Readonly<Record<string, Tensor | undefined>>;

/**
 * Returns a float32 output of a run by name.
 *
 * @throws Blip2Error `SESSION_FAILED` if it is missing or has another type or rank.
 */
export function namedTensor<R extends keyof DimsOfRank>(
  outputs: Outputs,
  name: string,
  rank: R,
): Tensor<'float32', DimsOfRank[R]> {
  const tensor = outputs[name];
  if (tensor && isOfRank(tensor, rank)) return tensor;
  throw new Blip2Error('SESSION_FAILED', 'The run must return this output in float32', {
    where: name,
    expected: `rank ${rank}`,
    got: tensor ? `${tensor.type} of rank ${tensor.dims.length}` : 'nothing',
  });
}

/** The tensors of the outputs that `layeredSpecs` declares, in order. */
export function layeredTensors<R extends keyof DimsOfRank>(
  outputs: Outputs,
  name: string,
  count: number,
  rank: R,
): Tensor<'float32', DimsOfRank[R]>[] {
  return Array.from({ length: count }, (_, layer) => namedTensor(outputs, `${name}.${layer}`, rank));
}

function isOfRank<R extends keyof DimsOfRank>(tensor: Tensor, rank: R): tensor is Tensor<'float32', DimsOfRank[R]> {
  return tensor.type === 'float32' && tensor.dims.length === rank;
}
