import type { LogitsProcessor } from '@blip2/interfaces';

/**
 * Forbids every id that would complete a sequence of `size` ids which the row already has. Reference:
 * `NoRepeatNGramLogitsProcessor`.
 */
export function noRepeatNgram(size: number): LogitsProcessor {
  return (ids, scores) => {
    const prefix = size - 1;
    for (let start = 0; start + prefix < ids.length; start++) {
      const next = ids[start + prefix]!;
      if (next < scores.length && sameIds(ids, start, ids.length - prefix, prefix)) scores[next] = -Infinity;
    }
  };
}

function sameIds(ids: readonly number[], left: number, right: number, count: number): boolean {
  for (let offset = 0; offset < count; offset++) if (ids[left + offset] !== ids[right + offset]) return false;
  return true;
}
