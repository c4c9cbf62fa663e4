import { Blip2Error, type Tensor } from '@blip2/interfaces';

import type { CacheSize, NewRows } from './key-value-cache.ts';

/** Keys or values of one layer. */
export type KeyValueTensor = Tensor<
  'float32',
  readonly [batch: number, heads: number, positions: number, headSize: number]
>;

/** Keys and values of one layer of a causal model, each `[batch, keyValueHeads, positions, headSize]`. */
export interface KeyValue {
  readonly key: KeyValueTensor;
  readonly value: KeyValueTensor;
}

/**
 * Keys and values of one decoder layer of a seq2seq model: self-attention `[batch, heads, positions, headSize]`,
 * cross-attention `[batch, heads, source, headSize]`.
 */
export interface Seq2SeqKeyValue {
  readonly selfKey: KeyValueTensor;
  readonly selfValue: KeyValueTensor;
  readonly crossKey: KeyValueTensor;
  readonly crossValue: KeyValueTensor;
}

/** Keys and values, one entry per layer. */
export interface LayeredKeyValues {
  readonly keys: readonly KeyValueTensor[];
  readonly values: readonly KeyValueTensor[];
}

/** A past without positions. */
export function emptyPast(batch: number, { layers, heads, headSize }: CacheSize): LayeredKeyValues {
  const none = Array.from({ length: layers }, (): KeyValueTensor => ({
    type: 'float32',
    dims: [batch, heads, 0, headSize],
    data: new Float32Array(0),
  }));
  return { keys: none, values: none };
}

/**
 * Number of positions of `past`.
 * @throws Blip2Error `SHAPE_MISMATCH` unless it has one key and one value per layer, all `[batch, heads, positions,
 * headSize]`.
 */
export function pastPositions(
  { keys, values }: LayeredKeyValues,
  batch: number,
  { layers, heads, headSize }: CacheSize,
): number {
  if (keys.length !== layers) {
    throw new Blip2Error('SHAPE_MISMATCH', 'pastKeyValues must have one entry per layer', {
      where: 'pastKeyValues',
      expected: String(layers),
      got: String(keys.length),
    });
  }
  const positions = keys[0]?.dims[2] ?? 0;
  const expected = [batch, heads, positions, headSize];
  const size = batch * heads * positions * headSize;
  for (const [index, { dims, data }] of [...keys, ...values].entries()) {
    if (
      data.length === size &&
      dims.length === expected.length &&
      dims.every((length, axis) => length === expected[axis])
    )
      continue;
    throw new Blip2Error('SHAPE_MISMATCH', 'pastKeyValues has the wrong shape', {
      where: `pastKeyValues, layer ${index % layers}`,
      expected: `[${expected.join(', ')}]`,
      got: `[${dims.join(', ')}] with ${data.length} numbers`,
    });
  }
  return positions;
}

/** The past with the rows of new positions appended, in new tensors. */
export function withNewRows(
  past: LayeredKeyValues,
  newKeys: readonly NewRows[],
  newValues: readonly NewRows[],
): LayeredKeyValues {
  const all = (tensors: readonly KeyValueTensor[], rows: readonly NewRows[]): KeyValueTensor[] =>
    tensors.flatMap((tensor, layer) => {
      const fresh = rows[layer];
      return fresh ? [appended(tensor, fresh)] : [];
    });
  return { keys: all(past.keys, newKeys), values: all(past.values, newValues) };
}

/** Appends `[batch, added, heads · headSize]` to `[batch, heads, positions, headSize]`. */
function appended(
  { dims: [batch, heads, positions, headSize], data: past }: KeyValueTensor,
  { dims: [, added], data: fresh }: NewRows,
): KeyValueTensor {
  const total = positions + added;
  const data = new Float32Array(batch * heads * total * headSize);
  for (let row = 0; row < batch; row++) {
    for (let head = 0; head < heads; head++) {
      const lane = row * heads + head;
      data.set(past.subarray(lane * positions * headSize, (lane + 1) * positions * headSize), lane * total * headSize);
      for (let position = 0; position < added; position++) {
        const from = ((row * added + position) * heads + head) * headSize;
        data.set(fresh.subarray(from, from + headSize), (lane * total + positions + position) * headSize);
      }
    }
  }
  return { type: 'float32', dims: [batch, heads, total, headSize], data };
}

/** Keys and values paired by layer. */
export function keyValuesOf({ keys, values }: LayeredKeyValues): KeyValue[] {
  return keys.flatMap((key, layer) => {
    const value = values[layer];
    return value ? [{ key, value }] : [];
  });
}

/** Self-attention keys and values of a past. */
export function selfKeyValues(past: readonly Seq2SeqKeyValue[]): LayeredKeyValues {
  return { keys: past.map(({ selfKey }) => selfKey), values: past.map(({ selfValue }) => selfValue) };
}

/** Cross-attention keys and values of a past. */
export function crossKeyValues(past: readonly Seq2SeqKeyValue[]): LayeredKeyValues {
  return { keys: past.map(({ crossKey }) => crossKey), values: past.map(({ crossValue }) => crossValue) };
}

export function seq2SeqKeyValues(self: LayeredKeyValues, cross: LayeredKeyValues): Seq2SeqKeyValue[] {
  const crossed = keyValuesOf(cross);
  return keyValuesOf(self).flatMap(({ key, value }, layer) => {
    const encoder = crossed[layer];
    return encoder ? [{ selfKey: key, selfValue: value, crossKey: encoder.key, crossValue: encoder.value }] : [];
  });
}

/** The inputs `past_key.layer` and `past_value.layer` of a graph. */
export function pastFeeds({ keys, values }: LayeredKeyValues): Record<string, KeyValueTensor> {
  return Object.fromEntries([
    ...keys.map((tensor, layer) => [`past_key.${layer}`, tensor] as const),
    ...values.map((tensor, layer) => [`past_value.${layer}`, tensor] as const),
  ]);
}
