import { type FileHandle, open, truncate } from 'node:fs/promises';

import type { ResumeOptions } from './output-request.ts';
import type { OutputTarget } from './output-target.ts';
import { saveRecord } from './run-record.ts';
import { openStream, type StreamOutput } from './stream-output.ts';
import { expectLinked, writeFailed } from './write-failed.ts';

export interface AppendOptions {
  readonly record: ResumeOptions['record'];
  /** Keep the content of the file. Otherwise the first write deletes it and saves the record. */
  readonly resuming: boolean;
  /** First line of an empty file. */
  readonly header?: string;
  /** Ends the wait for the reader of a pipe. */
  readonly signal?: AbortSignal | undefined;
}

/** A file to which results are appended during the run, opened on the first write. */
export interface AppendedFile {
  /** @throws Blip2Error `WRITE_FAILED`. */
  write(content: string): Promise<void>;
  close(): Promise<void>;
}

/** Pipes and devices get the same content, but have no record: they cannot be resumed. */
export function appendedFile(
  target: OutputTarget,
  { record, resuming, header = '', signal }: AppendOptions,
): AppendedFile {
  const { path, kind, stats } = target;
  let opened: StreamOutput | undefined;
  return {
    async write(content) {
      try {
        let prefix = '';
        if (kind === 'stream' && !opened) {
          opened = await openStream(path, stats, signal);
          prefix = header;
        } else if (!opened) {
          const handle = await openFile(path, record, resuming);
          opened = fileOutput(handle);
          if ((await handle.stat()).size === 0) prefix = header;
        }
        await opened.write(prefix + content);
      } catch (cause) {
        throw writeFailed(path, cause);
      }
    },
    async close() {
      const closing = opened;
      opened = undefined;
      await closing?.close().catch((cause: unknown) => {
        throw writeFailed(path, cause);
      });
    },
  };
}

async function openFile(path: string, record: ResumeOptions['record'], resuming: boolean): Promise<FileHandle> {
  if (!resuming) {
    // In this order: results must never be next to the record of another run. Emptied rather than deleted, so that the
    // file keeps its permissions and its other names.
    await truncate(path).catch((error: unknown) => {
      if (!(error instanceof Error && 'code' in error && error.code === 'ENOENT')) throw error;
    });
    await saveRecord(path, await record());
  }
  return open(path, 'a');
}

function fileOutput(handle: FileHandle): StreamOutput {
  return {
    async write(content) {
      await expectLinked(handle);
      await handle.appendFile(content);
    },
    async close() {
      try {
        await handle.sync();
      } finally {
        await handle.close();
      }
    },
  };
}
