import { createPairMap } from './pair-map.ts';

/** A set of words with values, followed one UTF-16 code unit at a time. */
export interface Trie {
  /** The node reached from `node` by a code unit; -1 if no word continues so. */
  child(node: number, unit: number): number;
  /** The value of the word that ends at a node; -1 if none does. */
  valueAt(node: number): number;
}

/** The node at which all words begin. */
export const ROOT = 0;

/** Creates a trie of words with values from 0. Of equal words the last one counts. Empty words are never reached. */
export function createTrie(words: Iterable<readonly [word: string, value: number]>): Trie {
  const entries = [...words];
  const units = entries.reduce((sum, [word]) => sum + word.length, 0);
  const edges = createPairMap(units);
  const values = new Int32Array(units + 1).fill(-1);
  let nodes = 1;
  for (const [word, value] of entries) {
    let node = ROOT;
    for (let i = 0; i < word.length; i++) {
      const unit = word.charCodeAt(i);
      const known = edges.get(node, unit);
      if (known < 0) edges.set(node, unit, nodes);
      node = known < 0 ? nodes++ : known;
    }
    values[node] = value;
  }
  return { child: edges.get, valueAt: (node) => values[node] ?? -1 };
}

/** The node at which a word ends; -1 if no word of the trie begins with it. */
export function nodeOf(trie: Trie, word: string): number {
  let node = ROOT;
  for (let i = 0; i < word.length && node >= 0; i++) node = trie.child(node, word.charCodeAt(i));
  return node;
}
