import { realpath } from 'node:fs/promises';
import { resolve } from 'node:path';

import { openRegular, readFailure } from '@blip2/files';

/** Bytes that can be read at any offset: a file, an object of a store, a URL that answers ranges. */
export interface ByteSource {
  /** Name for messages. */
  readonly name: string;
  /** Number of bytes. */
  readonly size: number;
  /**
   * Reads `length` bytes from `start`. Fewer bytes mean that the source ended there. The result must not change
   * afterwards. Rejects with the signal's reason if the signal is aborted.
   */
  read(start: number, length: number, signal?: AbortSignal): Promise<Uint8Array>;
}

/** A `ByteSource` over an open file. */
export interface FileSource extends ByteSource, AsyncDisposable {
  close(): Promise<void>;
}

/**
 * Opens a regular file for reads at any offset. Close it after use.
 * @throws Blip2Error `MISSING_FILE` if it cannot be opened or read; `INVALID_ARCHIVE` if it is not a regular file.
 */
export async function fileSource(path: string): Promise<FileSource> {
  const file = await realpath(path).catch((cause: unknown) => {
    throw readFailure(cause, path);
  });
  const { handle, stats } = await openRegular(resolve(file), { code: 'INVALID_ARCHIVE', where: path });
  const close = (): Promise<void> => handle.close();
  return {
    name: path,
    size: stats.size,
    async read(start, length, signal) {
      signal?.throwIfAborted();
      const bytes = new Uint8Array(Math.max(0, Math.min(length, stats.size - start)));
      let filled = 0;
      while (filled < bytes.byteLength) {
        const { bytesRead } = await handle
          .read(bytes, filled, bytes.byteLength - filled, start + filled)
          .catch((cause: unknown) => {
            throw readFailure(cause, path);
          });
        if (bytesRead === 0) break;
        filled += bytesRead;
        signal?.throwIfAborted();
      }
      return bytes.subarray(0, filled);
    },
    close,
    [Symbol.asyncDispose]: close,
  };
}

/** Bytes to read an archive from, in order or at any offset. */
export type ArchiveBytes = ByteSource | AsyncIterable<Uint8Array>;

/** Whether bytes can be read at any offset. */
export function isByteSource(bytes: ArchiveBytes): bytes is ByteSource {
  return 'read' in bytes && 'size' in bytes && !(Symbol.asyncIterator in bytes);
}
