import type { TokenIds } from '@blip2/interfaces';

/** Decodes ids to text one at a time, emitting complete characters only. */
export interface IncrementalDecoder {
  /** Appends an id and returns the new text; empty while a character is incomplete. */
  push(id: number): string;
  /** Returns the text held back so far; incomplete characters become U+FFFD. */
  flush(): string;
}

/** Output of byte-level tokenizers for incomplete characters. */
const REPLACEMENT_CHARACTER = '\uFFFD';

/**
 * Creates an incremental decoder. Ids are decoded together with the last complete piece, because tokenizers treat the
 * first token of a text differently (SentencePiece drops its space), and only the new text is emitted. The concatenated
 * pieces equal `decode` of all ids, provided that `decode` of a prefix is a prefix of `decode` of the whole.
 */
export function createIncrementalDecoder(decode: (ids: TokenIds) => string): IncrementalDecoder {
  let ids: number[] = [];
  /** Number of leading `ids` that have been emitted, and their text. */
  let numEmitted = 0;
  let emitted = '';

  function take(text: string): string {
    const piece = text.slice(emitted.length);
    // The latest piece stays as context; older ids are dropped, so that the cost per step does not grow with the text.
    ids = ids.slice(numEmitted);
    numEmitted = ids.length;
    emitted = decode(ids);
    return piece;
  }
  return {
    push(id) {
      ids.push(id);
      const text = decode(ids);
      return text.length > emitted.length && !text.endsWith(REPLACEMENT_CHARACTER) ? take(text) : '';
    },
    flush: () => (ids.length > numEmitted ? take(decode(ids)) : ''),
  };
}
