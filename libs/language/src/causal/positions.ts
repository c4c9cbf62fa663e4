import type { AttentionMask } from '@blip2/interfaces';

/**
 * Positions of the last `count` entries of each row of a mask. As in HF, `forward` counts padding and decoding does
 * not; in decoding, padding has position 0.
 */
export function positionsOf(mask: AttentionMask, count: number, use: 'decoding' | 'forward'): number[][] {
  return use === 'forward' ? allPositions(mask, count) : countedPositions(mask, count);
}

function allPositions(mask: AttentionMask, count: number): number[][] {
  return mask.map((row) => row.map((_, index) => index).slice(row.length - count));
}

function countedPositions(mask: AttentionMask, count: number): number[][] {
  return mask.map((row) => {
    let seen = 0;
    return row.map((counts) => (counts ? seen++ : 0)).slice(row.length - count);
  });
}
