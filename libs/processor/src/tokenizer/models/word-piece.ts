import { invalidTokenizer } from '../components.ts';
import type { Encode, WordLevel, WordPiece } from './model.ts';
import { createTrie, nodeOf, ROOT } from './trie.ts';

/** Creates the encoder of a WordPiece model: the longest piece at each position, from left to right. */
export function createWordPiece({ vocabulary, unknownId, prefix, maxWordCharacters }: WordPiece): Encode {
  const trie = createTrie(vocabulary);
  /** Where pieces begin that are not the first of a word. */
  const inner = nodeOf(trie, prefix);
  return (words, work) => {
    const ids: number[] = [];
    for (const word of words) {
      const before = ids.length;
      let start = hasMoreCharacters(word, maxWordCharacters) ? -1 : 0;
      while (start >= 0 && start < word.length) {
        let [matchEnd, matchId] = [-1, -1];
        let end = start;
        for (let node = start === 0 ? ROOT : inner; node >= 0 && end < word.length;) {
          node = trie.child(node, word.charCodeAt(end++));
          if (node >= 0 && trie.valueAt(node) >= 0) [matchEnd, matchId] = [end, trie.valueAt(node)];
        }
        work.spend(end - start);
        if (matchId >= 0) ids.push(matchId);
        start = matchEnd;
      }
      if (start < 0) {
        ids.length = before;
        ids.push(unknownId);
      }
    }
    work.spend(words.length);
    return ids;
  };
}

/** Creates the encoder of a WordLevel model. */
export function createWordLevel({ vocabulary, unknownId }: WordLevel): Encode {
  return (words, work) => {
    work.spend(words.length);
    return words.map((word) => {
      const id = vocabulary.get(word) ?? unknownId;
      if (id !== undefined) return id;
      throw invalidTokenizer('The vocabulary has neither a word nor unk_token', { got: JSON.stringify(word) });
    });
  };
}

function hasMoreCharacters(word: string, limit: number): boolean {
  return word.length > limit && (word.length > 2 * limit || [...word].length > limit);
}
