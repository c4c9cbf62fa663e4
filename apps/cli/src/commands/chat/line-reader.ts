import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';

/** Lines of a stream, as they are asked for. */
export interface LineReader extends AsyncIterable<string>, Disposable {}

/**
 * Reads lines until the stream ends or `signal` aborts. `onWait` is called before each: a prompt belongs there. Line
 * editing is the terminal's own, so that
 * Ctrl-C stays a signal.
 */
export function createLineReader(input: Readable, signal: AbortSignal, onWait: () => void): LineReader {
  const lines = createInterface({ input, terminal: false, crlfDelay: Infinity });
  const close = (): void => lines.close();
  signal.addEventListener('abort', close);
  if (signal.aborted) close();
  // From now on, so that no line is lost while the first is waited for.
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
      // What was not read must not keep the process waiting.
      input.destroy();
    },
  };
}
