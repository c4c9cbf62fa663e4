import { type FileHandle, open, rm } from 'node:fs/promises';

import { Blip2Error } from '@blip2/interfaces';

import { writeFailed } from './output-path.ts';
import { type RunRecord, saveRecord } from './run-record.ts';

export interface AppendOptions {
  readonly record: RunRecord;
  /** Keep the content of the file. Otherwise the first write deletes it and saves the record. */
  readonly resuming: boolean;
  /** First line of an empty file. */
  readonly header?: string;
}

/** A file to which results are appended during the run, opened on the first write. */
export interface AppendedFile {
  /** @throws Blip2Error `WRITE_FAILED`. */
  write(content: string): Promise<void>;
  close(): Promise<void>;
}

export function appendedFile(file: string, { record, resuming, header = '' }: AppendOptions): AppendedFile {
  let handle: FileHandle | undefined;
  const opened = async (): Promise<FileHandle> => {
    if (!resuming) {
      // In this order: results must never be next to the record of another run.
      await rm(file, { force: true });
      await saveRecord(file, record);
    }
    return open(file, 'a');
  };
  return {
    async write(content) {
      try {
        let prefix = '';
        if (!handle) {
          handle = await opened();
          if (header !== '' && (await handle.stat()).size === 0) prefix = header;
        }
        await handle.appendFile(prefix + content);
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
