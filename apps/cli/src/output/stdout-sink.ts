import type { Writable } from 'node:stream';

import type { ResultSink } from './result-sink.ts';

/** Lines to stdout, each batch waited for: a slow reader slows the run down instead of filling the memory. */
export function stdoutSink(stdout: Writable): ResultSink {
  return {
    done: new Set(),
    resumable: false,
    write: (lines) =>
      new Promise((resolve, reject) => void stdout.write(lines, (error) => (error ? reject(error) : resolve()))),
    close: async () => {},
  };
}
