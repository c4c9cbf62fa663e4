import type { Streamer, TokenIds } from '@blip2/interfaces';

import { createIncrementalDecoder, type IncrementalDecoder } from './incremental-decoder.ts';

/** Creates a streamer that decodes ids: `onText` is called with non-empty pieces of complete characters. */
export function createTextStreamer(
  decode: (ids: TokenIds) => string,
  onText: (piece: string, row: number) => void,
): Streamer {
  const decoders = new Map<number, IncrementalDecoder>();
  const emit = (piece: string, row: number): void => {
    if (piece !== '') onText(piece, row);
  };
  return {
    put(row, id) {
      const decoder = decoders.get(row) ?? createIncrementalDecoder(decode);
      decoders.set(row, decoder);
      emit(decoder.push(id), row);
    },
    end() {
      for (const [row, decoder] of decoders) emit(decoder.flush(), row);
      decoders.clear();
    },
  };
}
