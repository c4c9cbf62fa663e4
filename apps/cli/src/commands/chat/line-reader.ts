import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';

/** The lines of a stream, read on demand. */
export interface LineReader extends AsyncIterable<string>, Disposable {}

/**
 * Reads lines until the stream ends or `signal` aborts. `onWait` is called before each line, to show a prompt. Lines
 * are edited by the terminal itself, so that Ctrl-C remains a signal.
 */
export function createLineReader(input: Readable, signal: AbortSignal, onWait: () => void): LineReader {
  const lines = createInterface({ input, terminal: false, crlfDelay: Infinity });
  const close = (): void => lines.close();
  signal.addEventListener('abort', close);
  if (signal.aborted) close();
  // Created now, so that no line is lost before the first one is requested.
  const iterator = lines[Symbol.asyncIterator]();
  return {
    async *[Symbol.asyncIterator]() {
      for (;;) {
        if (signal.aborted) return;
        onWait();
        const { done, value } = await iterator.next();
        if (done) return;
        yield value;
      }
    },
    [Symbol.dispose]() {
      signal.removeEventListener('abort', close);
      lines.close();
      // Unread input would keep the process alive.
      input.destroy();
    },
  };
}
