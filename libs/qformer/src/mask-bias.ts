import { type AttentionMask, Blip2Error, type Rows, type Tensor, type TokenIds } from '@blip2/interfaces';
import { MASKED } from '@blip2/onnx';
import { asRows } from '@blip2/runtime';

/** An attention mask `[batch, keys]`, or `[batch, positions, keys]` with one row per position. */
export type QFormerMask = Rows | readonly AttentionMask[];
/** An attention bias for all heads, `[batch, 1, 1 or positions, keys]`. */
type MaskBias = Tensor<'float32', [batch: number, heads: 1, positions: number, keys: number]>;

/** Converts a mask over keys to an attention bias: `[batch, keys]` → `[batch, 1, 1, keys]`. */
export function maskBias(
  mask: readonly TokenIds[],
): Tensor<'float32', [batch: number, heads: 1, queries: 1, keys: number]> {
  return { type: 'float32', dims: [mask.length, 1, 1, mask[0]?.length ?? 0], data: biases(mask.flat()) };
}

/**
 * Converts a mask of either form to an attention bias.
 * @throws Blip2Error `SHAPE_MISMATCH` if rows differ in length.
 */
export function anyMaskBias(mask: QFormerMask): MaskBias {
  if (!isPairMask(mask)) return maskBias(evenRows(asRows(mask, 'attentionMask')));
  const positions = mask[0]?.length ?? 0;
  const uneven = mask.find((rows) => rows.length !== positions);
  if (uneven) throw unevenMask(positions, uneven.length);
  const rows = evenRows(mask.flat());
  return { type: 'float32', dims: [mask.length, 1, positions, rows[0]?.length ?? 0], data: biases(rows.flat()) };
}

export function isPairMask(mask: QFormerMask): mask is readonly AttentionMask[] {
  return !('type' in mask) && Array.isArray(mask[0]?.[0]);
}

function evenRows(rows: readonly TokenIds[]): readonly TokenIds[] {
  const length = rows[0]?.length ?? 0;
  const uneven = rows.find((row) => row.length !== length);
  if (uneven) throw unevenMask(length, uneven.length);
  return rows;
}

function unevenMask(expected: number, got: number): Blip2Error {
  return new Blip2Error('SHAPE_MISMATCH', 'Rows of attentionMask must have equal lengths', {
    where: 'attentionMask',
    expected: String(expected),
    got: String(got),
  });
}

function biases(counts: readonly number[]): Float32Array {
  return Float32Array.from(counts, (each) => (each ? 0 : MASKED));
}
