import { createIncrementalDecoder } from '@blip2/generate';
import type { TokenIds } from '@blip2/interfaces';

/** A text that arrives token by token, as pieces of whole characters. */
export interface TextPieces {
  readonly pieces: readonly string[];
  add(id: number): void;
  /** Adds what is missing up to the final text. */
  complete(text: string): void;
}

/** Collects the pieces of a trimmed text: white space is held back until another character follows it. */
export function createTextPieces(decode: (ids: TokenIds) => string): TextPieces {
  const decoder = createIncrementalDecoder(decode);
  const pieces: string[] = [];
  let pending = '';
  const push = (piece: string): void => {
    if (piece !== '') pieces.push(piece);
  };
  return {
    pieces,
    add(id) {
      pending += decoder.push(id);
      if (pieces.length === 0) pending = pending.trimStart();
      const piece = pending.trimEnd();
      pending = pending.slice(piece.length);
      push(piece);
    },
    complete(text) {
      const shown = pieces.join('');
      // An incomplete UTF-8 sequence changes how some tokenizers (Llama's) decode the bytes before it. Pieces that were
      // already emitted stay; only the remainder is added.
      push(text.startsWith(shown) ? text.slice(shown.length) : (pending + decoder.flush()).trimEnd());
    },
  };
}
