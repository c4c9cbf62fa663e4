import { invalidTokenizer } from '../components.ts';
import type { Work } from '../work.ts';
import { byteTokens } from './byte-tokens.ts';
import { createHeap } from './heap.ts';
import type { Bpe, Encode } from './model.ts';
import { createPairMap } from './pair-map.ts';

/** Longer words are not cached, in UTF-16 code units. */
const MAX_CACHED_LENGTH = 64;
/** Maximum number of cached words. */
const MAX_CACHED = 4096;

/**
 * Creates the encoder of a BPE model: the characters of a word, then merges of adjacent tokens in the order of their
 * rank, from left to right. Takes n log n steps for n characters. Source: `Word::merge_all` of the Rust library.
 */
export function createBpe(model: Bpe): Encode {
  const { vocabulary, ignoreMerges } = model;
  const initialIds = createInitialIds(model);
  const merge = createMerge(model.merges);
  const cache = new Map<string, readonly number[]>();
  const encodeWord = (word: string, work: Work): readonly number[] => {
    const known = cache.get(word) ?? (ignoreMerges ? vocabulary.get(word) : undefined);
    if (known !== undefined) return typeof known === 'number' ? [known] : known;
    const ids = merge(initialIds(word), work);
    if (word.length <= MAX_CACHED_LENGTH) {
      if (cache.size >= MAX_CACHED) cache.clear();
      cache.set(word, ids);
    }
    return ids;
  };
  return (words, work) => {
    const ids: number[] = [];
    for (const word of words) {
      work.spend(word.length);
      for (const id of encodeWord(word, work)) ids.push(id);
    }
    return ids;
  };
}

/** Creates the function that maps the characters of a word to ids; unknown ones become bytes, unknown or nothing. */
function createInitialIds(model: Bpe): (word: string) => number[] {
  const { vocabulary, prefix, suffix, fuseUnknown } = model;
  const bytes = model.byteFallback ? byteTokens(vocabulary) : undefined;
  const unknownId = model.unknown === undefined ? undefined : vocabulary.get(model.unknown);
  return (word) => {
    const ids: number[] = [];
    /** The last character was unknown and its token is not added yet: bytes of later ones precede it, as in Rust. */
    let isPending = false;
    const flush = (): void => {
      if (isPending && unknownId !== undefined) ids.push(unknownId);
      isPending = false;
    };
    for (let start = 0; start < word.length;) {
      const end = start + ((word.charCodeAt(start) & 0xfc00) === 0xd800 ? 2 : 1);
      const token = (start === 0 ? '' : prefix) + word.slice(start, end) + (end < word.length ? '' : suffix);
      start = end;
      const id = vocabulary.get(token);
      if (id !== undefined) {
        flush();
        ids.push(id);
        continue;
      }
      const fallback = bytes?.(token);
      if (fallback) for (const byte of fallback) ids.push(byte);
      else if (model.unknown !== undefined) {
        if (unknownId === undefined)
          throw invalidTokenizer('The vocabulary does not contain unk_token', { got: model.unknown });
        if (!fuseUnknown) flush();
        isPending = true;
      }
    }
    flush();
    return ids;
  };
}

/** Creates the function that merges the ids of a word. */
function createMerge(merges: Int32Array): (ids: number[], work: Work) => readonly number[] {
  const count = merges.length / 3;
  const ranks = createPairMap(count);
  for (let rank = 0; rank < count; rank++) ranks.set(merges[rank * 3] ?? 0, merges[rank * 3 + 1] ?? 0, rank);
  const mergedId = (rank: number): number => merges[rank * 3 + 2] ?? 0;
  return (ids, work) => {
    const { length } = ids;
    const next = new Int32Array(length);
    const previous = new Int32Array(length);
    const removed = new Uint8Array(length);
    const heap = createHeap();
    const push = (position: number, following: number): void => {
      const rank = ranks.get(ids[position] ?? 0, ids[following] ?? 0);
      if (rank >= 0) heap.push(rank * length + position);
    };
    for (let i = 0; i < length; i++) {
      next[i] = i + 1;
      previous[i] = i - 1;
      if (i + 1 < length) push(i, i + 1);
    }
    for (let top = heap.pop(); top !== undefined; top = heap.pop()) {
      work.spend(heap.depth());
      const rank = Math.floor(top / length);
      const position = top - rank * length;
      const right = next[position] ?? length;
      if (removed[position] || right >= length) continue;
      const current = ranks.get(ids[position] ?? 0, ids[right] ?? 0);
      const id = mergedId(rank);
      // The entry is outdated if another merge has changed one of the two tokens.
      if (current < 0 || mergedId(current) !== id) continue;
      ids[position] = id;
      removed[right] = 1;
      const after = next[right] ?? length;
      next[position] = after;
      if (after < length) previous[after] = position;
      const before = previous[position] ?? -1;
      if (before >= 0) push(before, position);
      if (after < length) push(position, after);
    }
    return ids.filter((_, position) => !removed[position]);
  };
}
