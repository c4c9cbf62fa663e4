import { unlessAborted } from '@blip2/interfaces';

import type { ByteSource } from './byte-source.ts';

/** Reads bytes in order. */
export interface Cursor {
  /** Offset of the next byte. */
  readonly offset: number;
  /** The next `length` bytes; fewer if the input ends there. */
  take(length: number): Promise<Uint8Array>;
  /** Skips `length` bytes and returns how many there were. */
  skip(length: number): Promise<number>;
  /** Stops reading. */
  close(): Promise<void>;
}

/** A cursor over a stream. Bytes that are skipped are read all the same. */
export function streamCursor(chunks: AsyncIterable<Uint8Array>, signal?: AbortSignal): Cursor {
  const iterator = chunks[Symbol.asyncIterator]();
  let chunk: Uint8Array = new Uint8Array(0);
  let offset = 0;
  let ended = false;
  /** Makes `chunk` hold at least one byte, unless the input has ended. */
  const fill = async (): Promise<boolean> => {
    while (chunk.byteLength === 0 && !ended) {
      const next = await unlessAborted(iterator.next(), signal);
      ended = next.done === true;
      if (next.done !== true) chunk = next.value;
    }
    return chunk.byteLength > 0;
  };
  const advance = (length: number): Uint8Array => {
    const part = chunk.subarray(0, length);
    chunk = chunk.subarray(part.byteLength);
    offset += part.byteLength;
    return part;
  };
  return {
    get offset() {
      return offset;
    },
    async take(length) {
      const bytes = new Uint8Array(length);
      let filled = 0;
      while (filled < length && (await fill())) {
        const part = advance(length - filled);
        bytes.set(part, filled);
        filled += part.byteLength;
      }
      return bytes.subarray(0, filled);
    },
    async skip(length) {
      let skipped = 0;
      while (skipped < length && (await fill())) skipped += advance(length - skipped).byteLength;
      return skipped;
    },
    async close() {
      ended = true;
      // A stream that waits for bytes answers only after its next chunk, or never. Nothing depends on its answer.
      void Promise.resolve(iterator.return?.()).catch(() => undefined);
    },
  };
}

/** Options of `sourceCursor`. */
export interface SourceCursorOptions {
  /** Size of a read in bytes where less is wanted. */
  readonly readAhead: number;
  readonly signal?: AbortSignal | undefined;
}

/** A cursor over bytes with random access. Skipping reads nothing. */
export function sourceCursor(source: ByteSource, { readAhead, signal }: SourceCursorOptions): Cursor {
  let offset = 0;
  let kept: Uint8Array = new Uint8Array(0);
  let keptFrom = 0;
  return {
    get offset() {
      return offset;
    },
    async take(length) {
      signal?.throwIfAborted();
      const wanted = Math.min(length, source.size - offset);
      if (offset < keptFrom || offset + wanted > keptFrom + kept.byteLength) {
        keptFrom = offset;
        kept = await source.read(offset, Math.min(Math.max(wanted, readAhead), source.size - offset), signal);
      }
      const bytes = kept.slice(offset - keptFrom, offset - keptFrom + wanted);
      offset += bytes.byteLength;
      return bytes;
    },
    async skip(length) {
      signal?.throwIfAborted();
      const skipped = Math.min(length, source.size - offset);
      offset += skipped;
      return skipped;
    },
    async close() {
      kept = new Uint8Array(0);
    },
  };
}
