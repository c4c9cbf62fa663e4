import type { Readable } from 'node:stream';
import { StringDecoder } from 'node:string_decoder';

import { mustBe } from '@blip2/interfaces';

/** The lines of a stream, read on demand. */
export interface LineReader extends AsyncIterable<string>, Disposable {}

/** Bytes of the longest line: more than the longest text that a tokenizer accepts, in any script. */
const MAX_LINE_BYTES = 256 * 2 ** 10;

/**
 * Reads lines until the stream ends or `signal` aborts. `onWait` is called before each line, to show a prompt. Lines
 * are edited by the terminal itself, so that Ctrl-C remains a signal. The stream is read no further than one line
 * ahead.
 * @throws Blip2Error `INVALID_ARGUMENT` if a line is longer than 256 KiB.
 */
export function createLineReader(input: Readable, signal: AbortSignal, onWait: () => void): LineReader {
  const close = (): void => void input.destroy();
  signal.addEventListener('abort', close);
  if (signal.aborted) close();
  return {
    async *[Symbol.asyncIterator]() {
      const lines = linesOf(input);
      for (;;) {
        if (signal.aborted) return;
        onWait();
        const { done, value } = await lines.next().catch((error: unknown) => {
          // Destroying the stream ends the wait for a line.
          if (signal.aborted) return { done: true, value: undefined } as const;
          throw error;
        });
        if (done) return;
        yield value;
      }
    },
    [Symbol.dispose]() {
      signal.removeEventListener('abort', close);
      // Unread input would keep the process alive.
      input.destroy();
    },
  };
}

async function* linesOf(input: Readable): AsyncGenerator<string, undefined> {
  const decoder = new StringDecoder('utf8');
  let rest = '';
  for await (const chunk of input) {
    rest += typeof chunk === 'string' ? chunk : decoder.write(chunk);
    const lines = rest.split(/\r?\n/);
    rest = lines.pop() ?? '';
    yield* lines;
    if (Buffer.byteLength(rest) > MAX_LINE_BYTES)
      throw mustBe('A line of stdin', `at most ${MAX_LINE_BYTES} bytes`, `${Buffer.byteLength(rest)} bytes or more`);
  }
  rest += decoder.end();
  if (rest !== '') yield rest;
  return undefined;
}
