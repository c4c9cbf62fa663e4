import type { TokenIds } from '@blip2/interfaces';

/** Turns ids into text as they come, whole characters only. */
export interface IncrementalDecoder {
  /** The text that `id` completes; empty while a character is still incomplete. */
  push(id: number): string;
  /** What was held back, incomplete characters included as U+FFFD. */
  flush(): string;
}

/** What a byte-level tokenizer gives for bytes that are no whole character (yet). */
const REPLACEMENT_CHARACTER = '\uFFFD';

/**
 * An incremental decoder over any `decode`. Ids are decoded together with the last finished piece, because tokenizers
 * treat the first token of a text
 * differently (SentencePiece drops its space), and only what is new is given out. The pieces joined are `decode` of all
 * ids, as long as `decode` of a
 * text begins with `decode` of its beginning.
 */
export function createIncrementalDecoder(decode: (ids: TokenIds) => string): IncrementalDecoder {
  let ids: number[] = [];
  /** How many of `ids` have been given out, and the text they are. */
  let finished = 0;
  let shown = '';

  function take(text: string): string {
    const piece = text.slice(shown.length);
    // The piece just finished stays as context; older ids are forgotten, so that a step costs the same in a long text.
    ids = ids.slice(finished);
    finished = ids.length;
    shown = decode(ids);
    return piece;
  }
  return {
    push(id) {
      ids.push(id);
      const text = decode(ids);
      return text.length > shown.length && !text.endsWith(REPLACEMENT_CHARACTER) ? take(text) : '';
    },
    flush: () => (ids.length > finished ? take(decode(ids)) : ''),
  };
}
