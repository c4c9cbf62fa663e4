import type { Writable } from 'node:stream';

import type { Blip2Error } from '@blip2/interfaces';

import { writeFailed } from './write-failed.ts';

/** How a run ended. */
export type Outcome = 'finished' | 'interrupted' | 'failed';

/** Destination of result lines. */
export interface ResultSink {
  /** Keys of the lines that an earlier run wrote, and how many lines have each. */
  readonly done: ReadonlyMap<string, number>;
  /** Images whose results cannot be written, by name. */
  readonly failures?: ReadonlyMap<string, Blip2Error>;
  /** Whether running the same command again resumes this run. */
  readonly resumable: boolean;
  /**
   * Writes whole lines, each with its line feed.
   * @throws Blip2Error `WRITE_FAILED`; Node's `EPIPE` if the reader closed the pipe.
   */
  write(lines: string): Promise<void>;
  /** Keeps the written lines after `finished` and `interrupted`. */
  close(outcome: Outcome): Promise<void>;
}

/** Counts one more line with a key. */
export function countLine(done: Map<string, number>, key: string): void {
  done.set(key, (done.get(key) ?? 0) + 1);
}

/** Writes lines to stdout and waits for each write: a slow reader slows the run down instead of filling the memory. */
export function stdoutSink(stdout: Writable): ResultSink {
  return {
    done: new Map(),
    resumable: false,
    async write(lines) {
      if (lines === '') return;
      await new Promise<void>(
        (resolve, reject) =>
          void stdout.write(lines, (error) => (error ? reject(writeFailed('stdout', error)) : resolve())),
      );
    },
    close: async () => {},
  };
}
