import type { LogitsProcessor } from '@blip2/interfaces';

/**
 * Suppresses every id that would complete an n-gram of `size` ids that already occurs in the row. Source: HF
 * `NoRepeatNGramLogitsProcessor`.
 *
 * ```ts
 * const logits = Float32Array.of(3, 1, 2);
 * noRepeatNgram(2)([0, 2, 1, 0], logits);
 * logits; // [3, 1, -Infinity]
 * ```
 */
export function noRepeatNgram(size: number): LogitsProcessor {
  return (ids, logits) => {
    const prefix = size - 1;
    for (let start = 0; start + prefix < ids.length; start++) {
      const next = ids[start + prefix] ?? 0;
      if (next < logits.length && sameIds(ids, start, ids.length - prefix, prefix)) logits[next] = -Infinity;
    }
  };
}

function sameIds(ids: readonly number[], left: number, right: number, count: number): boolean {
  for (let offset = 0; offset < count; offset++) if (ids[left + offset] !== ids[right + offset]) return false;
  return true;
}
