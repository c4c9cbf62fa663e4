import { invalidTokenizer } from './components.ts';
import { MAX_STEPS } from './limits.ts';

/**
 * Counts the elementary steps of one call: characters scanned, edges of a trie followed, merges. Each limit on a
 * tokenizer file is harmless alone, but their products are not; this is the limit on the products.
 */
export interface Work {
  /** Steps so far. */
  readonly steps: number;
  /** @throws Blip2Error `INVALID_TOKENIZER` beyond the limit. */
  spend(steps: number): void;
}

/** Creates the counter of one call. */
export function createWork(limit: number = MAX_STEPS): Work {
  let spent = 0;
  return {
    get steps() {
      return spent;
    },
    spend(steps) {
      spent += steps;
      if (spent > limit)
        throw invalidTokenizer('The tokenizer takes too much work for a text', { expected: `at most ${limit} steps` });
    },
  };
}
