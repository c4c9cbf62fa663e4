/** Longest n-grams that BLEU and CIDEr count, in words. */
export const MAX_N = 4;

/** Counts of the n-grams of one text, by length minus one. Words of a key are separated by spaces. */
export type NGramCounts = readonly ReadonlyMap<string, number>[];

/** Counts the n-grams of 1 to 4 words. Words hold no white space. */
export function countNGrams(words: readonly string[]): NGramCounts {
  return Array.from({ length: MAX_N }, (_, index) => {
    const counts = new Map<string, number>();
    for (let at = 0; at + index < words.length; at++) {
      const key = words.slice(at, at + index + 1).join(' ');
      counts.set(key, (counts.get(key) ?? 0) + 1);
    }
    return counts;
  });
}
