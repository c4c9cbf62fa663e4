import { type FileHandle, open, rm } from 'node:fs/promises';

import { Blip2Error } from '@blip2/interfaces';

import { type RunRecord, saveRecord } from './run-record.ts';
import { writeFailed } from './write-failed.ts';

export interface AppendOptions {
  readonly record: RunRecord;
  /**
   * Whether what the file holds stays; else it is given up when the first content is written, and the record is saved.
   */
  readonly goOn: boolean;
  /** What an empty file begins with. */
  readonly header?: string;
}

/** A file that grows as the run goes, opened when there is something to write. */
export interface AppendedFile {
  /** Throws `WRITE_FAILED`. */
  write(content: string): Promise<void>;
  close(): Promise<void>;
}

export function appendedFile(file: string, { record, goOn, header = '' }: AppendOptions): AppendedFile {
  let handle: FileHandle | undefined;
  const opened = async (): Promise<FileHandle> => {
    if (!goOn) {
      // In this order: results must never lie beside the record of another run.
      await rm(file, { force: true });
      await saveRecord(file, record);
    }
    return open(file, 'a');
  };
  return {
    async write(content) {
      try {
        let beginning = '';
        if (!handle) {
          handle = await opened();
          if (header !== '' && (await handle.stat()).size === 0) beginning = header;
        }
        await handle.appendFile(beginning + content);
      } catch (cause) {
        throw cause instanceof Blip2Error ? cause : writeFailed(file, cause);
      }
    },
    async close() {
      await handle?.sync();
      await handle?.close();
    },
  };
}
