import type { Streamer, TokenIds } from '@blip2/interfaces';

import { createIncrementalDecoder, type IncrementalDecoder } from './incremental-decoder.ts';

/** A streamer that hands on text instead of ids: `onText(piece, row)`, whole characters only, nothing empty. */
export function createTextStreamer(
  decode: (ids: TokenIds) => string,
  onText: (piece: string, row: number) => void,
): Streamer {
  const decoders = new Map<number, IncrementalDecoder>();
  const give = (piece: string, row: number): void => {
    if (piece !== '') onText(piece, row);
  };
  return {
    put(row, id) {
      const decoder = decoders.get(row) ?? createIncrementalDecoder(decode);
      decoders.set(row, decoder);
      give(decoder.push(id), row);
    },
    end() {
      for (const [row, decoder] of decoders) give(decoder.flush(), row);
      decoders.clear();
    },
  };
}
