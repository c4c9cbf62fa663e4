import type { Work } from '../work.ts';
import { byteTokens } from './byte-tokens.ts';
import type { Encode, Unigram } from './model.ts';
import { createTrie, ROOT } from './trie.ts';

/** Difference between the score of unknown characters and the lowest score of a piece. Source: SentencePiece. */
const UNKNOWN_PENALTY = 10;

/**
 * Creates the encoder of a Unigram model: the segmentation of a word with the largest sum of scores. One pass, which
 * keeps for each position only the best segmentation that ends there. Source: `encode_optimized` of the Rust library.
 */
export function createUnigram({ vocabulary, scores, unknownId, byteFallback }: Unigram): Encode {
  const trie = createTrie(vocabulary);
  const unknownScore = scores.reduce((lowest, score) => Math.min(lowest, score), Infinity) - UNKNOWN_PENALTY;
  const bytes = byteFallback ? byteTokens(vocabulary) : undefined;
  const encodeWord = (word: string, ids: number[], work: Work, hidden: ReadonlySet<number> | undefined): void => {
    const best = findBest(word, work, hidden);
    const found: (number | string)[] = [];
    /** End of the run of unknown characters that is being collected, which become one token. */
    let unknownEnd = -1;
    for (let end = word.length; end > 0;) {
      const start = best.starts[end] ?? 0;
      const id = best.ids[end] ?? unknownId;
      if (id === unknownId) unknownEnd = unknownEnd < 0 ? end : unknownEnd;
      else found.push(id);
      const next = best.ids[start];
      if (id === unknownId && (start === 0 || next !== unknownId)) {
        found.push(word.slice(start, unknownEnd));
        unknownEnd = -1;
      }
      end = start;
    }
    for (const piece of found.reverse()) {
      if (typeof piece === 'number') ids.push(piece);
      else pushUnknown(piece, ids, hidden);
    }
  };
  /** A run of unknown characters may be a piece as a whole, as in the Rust library. */
  const pushUnknown = (run: string, ids: number[], hidden: ReadonlySet<number> | undefined): void => {
    const id = vocabulary.get(run);
    if (id !== undefined && !hidden?.has(id)) ids.push(id);
    else ids.push(...(bytes?.(run) ?? [unknownId]));
  };
  const findBest = (
    word: string,
    work: Work,
    hidden: ReadonlySet<number> | undefined,
  ): { readonly starts: Int32Array; readonly ids: Int32Array } => {
    const { length } = word;
    const totals = new Float64Array(length + 1);
    const starts = new Int32Array(length + 1).fill(-1);
    const ids = new Int32Array(length + 1);
    const offer = (start: number, end: number, score: number, id: number): void => {
      const total = score + (totals[start] ?? 0);
      if ((starts[end] ?? 0) >= 0 && total <= (totals[end] ?? 0)) return;
      totals[end] = total;
      starts[end] = start;
      ids[end] = id;
    };
    for (let start = 0; start < length;) {
      const width = (word.charCodeAt(start) & 0xfc00) === 0xd800 ? 2 : 1;
      let isKnown = false;
      let end = start;
      for (let node = ROOT; end < length;) {
        node = trie.child(node, word.charCodeAt(end++));
        if (node < 0) break;
        const id = trie.valueAt(node);
        if (id < 0 || hidden?.has(id)) continue;
        offer(start, end, scores[id] ?? 0, id);
        isKnown ||= end === start + width;
      }
      work.spend(end - start);
      if (!isKnown) offer(start, start + width, unknownScore, unknownId);
      start += width;
    }
    return { starts, ids };
  };
  return (words, work, hidden) => {
    const ids: number[] = [];
    for (const word of words) encodeWord(word, ids, work, hidden);
    return ids;
  };
}
