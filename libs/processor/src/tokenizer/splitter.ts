import type { AddedToken } from './added-tokens.ts';
import { WORD_CHARACTERS } from './components.ts';
import { createTrie, ROOT, type Trie } from './models/trie.ts';
import type { Work } from './work.ts';

/** An added token, or the text between two of them. `start`: offset in UTF-16 code units. */
export type TextSection = { readonly token: AddedToken } | { readonly text: string; readonly start: number };

/** Splits a text at added tokens. */
export type Splitter = (text: string, work: Work) => readonly TextSection[];

/**
 * Creates a function that splits a text at tokens, leftmost and longest first, like `AddedVocabulary` of the Rust
 * library. Of tokens with the same content the last one counts.
 */
export function createSplitter(tokens: readonly AddedToken[]): Splitter {
  if (tokens.length === 0) return (text) => (text === '' ? [] : [{ text, start: 0 }]);
  const trie = createTrie(tokens.map(({ content }, index) => [content, index] as const));
  return (text, work) => {
    const sections: TextSection[] = [];
    const spaceAround = createSpaceRuns(text);
    let end = 0;
    for (let index = 0; index < text.length;) {
      const match = longestMatch(trie, text, index, work);
      const token = tokens[match.value];
      const next = match.end;
      if (!token || (token.singleWord && isInsideWord(text, index, next))) {
        index = token ? next : index + 1;
        continue;
      }
      const from = token.lstrip ? Math.max(end, spaceAround(index).start) : index;
      if (from > end) sections.push({ text: text.slice(end, from), start: end });
      sections.push({ token });
      end = token.rstrip ? spaceAround(next).end : next;
      index = next;
    }
    if (end < text.length) sections.push({ text: text.slice(end), start: end });
    return sections;
  };
}

function longestMatch(
  trie: Trie,
  text: string,
  start: number,
  work: Work,
): { readonly value: number; readonly end: number } {
  let [value, matchEnd, end] = [-1, start, start];
  for (let node = ROOT; end < text.length;) {
    node = trie.child(node, text.charCodeAt(end++));
    if (node < 0) break;
    if (trie.valueAt(node) >= 0) [value, matchEnd] = [trie.valueAt(node), end];
  }
  work.spend(end - start);
  return { value, end: matchEnd };
}

/**
 * Creates a function that finds the run of white space around an offset, which may be empty. Remembers the last run, so
 * that each is scanned once.
 */
function createSpaceRuns(text: string): (offset: number) => { readonly start: number; readonly end: number } {
  let run = { start: 0, end: -1 };
  return (offset) => {
    if (offset >= run.start && offset <= run.end) return run;
    let [start, end] = [offset, offset];
    while (start > 0 && isSpace(text.charAt(start - 1))) start--;
    while (end < text.length && isSpace(text.charAt(end))) end++;
    return (run = { start, end });
  };
}

/** White space consists of single code units. */
function isSpace(character: string): boolean {
  return /\p{White_Space}/u.test(character);
}

const WORD_END = new RegExp(`[${WORD_CHARACTERS}]$`, 'u');
const WORD_START = new RegExp(`^[${WORD_CHARACTERS}]`, 'u');

function isInsideWord(text: string, start: number, end: number): boolean {
  // At most the last code point before and the first one after the token.
  return WORD_END.test(text.slice(Math.max(0, start - 2), start)) || WORD_START.test(text.slice(end, end + 2));
}
