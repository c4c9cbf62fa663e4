import { createIncrementalDecoder } from '@blip2/generate';
import { Blip2Error } from '@blip2/interfaces';

import { once } from '../lifetime/lazy-promise.ts';
import { decoderOf, type Writing } from './task-generation.ts';
import type { TaskProcessor } from './task-images.ts';
import type { TextResult } from './text-result.ts';

/**
 * A text on its way. Await it for the result, or iterate it for the pieces as they are written: whole characters, which
 * joined are the result's `text`
 * (save where a tokenizer reads earlier bytes anew because of a later one that belongs to no character, as Llama's
 * does).
 * Both work, in either order, on one run, which begins when it is first asked for. Leaving the loop early stops the
 * writing before the next token; the
 * result is then what there is (`finishReason` `aborted`). A beam search decides at its end and gives one piece.
 */
export interface TextStream extends Promise<TextResult>, AsyncIterable<string> {
  /** What has been written so far, also after an abort or an error; `undefined` before the model has begun. */
  readonly partial: TextResult | undefined;
}

export function createTextStream(processor: Pick<TaskProcessor, 'decode'>, open: () => Writing): TextStream {
  const run = createRun(processor, open);
  const finish = once(async () => {
    while (!run.isDone) await run.advance();
    return run.result();
  });
  return {
    get partial() {
      return run.partial();
    },
    async *[Symbol.asyncIterator]() {
      try {
        for (let index = 0; ; index++) {
          while (index >= run.pieces.length && !run.isDone) await run.advance();
          const piece = run.pieces[index];
          if (piece === undefined) break;
          yield piece;
        }
        run.result();
      } finally {
        await run.stop();
      }
    },
    then: (fulfilled, rejected) => finish().then(fulfilled, rejected),
    catch: (rejected) => finish().catch(rejected),
    finally: (settled) => finish().finally(settled),
    [Symbol.toStringTag]: 'TextStream',
  };
}

/** One writing, shared by all who wait for it. */
interface Run {
  readonly pieces: readonly string[];
  readonly isDone: boolean;
  /** Takes one step, or waits for the one under way. Never fails. */
  advance(): Promise<void>;
  stop(): Promise<void>;
  /** @throws whatever ended the writing. */
  result(): TextResult;
  partial(): TextResult | undefined;
}

function createRun(processor: Pick<TaskProcessor, 'decode'>, open: () => Writing): Run {
  const text = createPieces(processor);
  let writing: Writing | undefined;
  let pending: Promise<void> | undefined;
  let failure: { readonly error: unknown } | undefined;
  let isStopped = false;
  let isDone = false;
  const partial = (): TextResult | undefined => writing?.results()[0];

  async function step(): Promise<void> {
    writing ??= open();
    const { done, value } = isStopped ? await writing.return() : await writing.next();
    if (value) for (const { id } of value.tokens) text.add(id);
    if (!done) return;
    isDone = true;
    if (!isStopped) text.complete(partial()?.text ?? '');
  }
  function advance(): Promise<void> {
    pending ??= step()
      .catch((error: unknown) => {
        failure = { error };
        isDone = true;
      })
      .finally(() => (pending = undefined));
    return pending;
  }
  return {
    pieces: text.pieces,
    get isDone() {
      return isDone;
    },
    advance,
    async stop() {
      isStopped = true;
      while (!isDone) await advance();
    },
    result() {
      if (failure) throw failure.error;
      const result = partial();
      if (!result) throw new Blip2Error('INVALID_ARGUMENT', 'No image given', { where: 'images' });
      return result;
    },
    partial,
  };
}

interface Pieces {
  readonly pieces: readonly string[];
  add(id: number): void;
  /** Adds what is missing to the whole text. */
  complete(text: string): void;
}

/** Pieces of a text that is trimmed: white space waits until something follows it. */
function createPieces(processor: Pick<TaskProcessor, 'decode'>): Pieces {
  const decoder = createIncrementalDecoder(decoderOf(processor));
  const pieces: string[] = [];
  let held = '';
  const give = (piece: string): void => {
    if (piece !== '') pieces.push(piece);
  };
  return {
    pieces,
    add(id) {
      held += decoder.push(id);
      if (pieces.length === 0) held = held.trimStart();
      const piece = held.trimEnd();
      held = held.slice(piece.length);
      give(piece);
    },
    complete(text) {
      const shown = pieces.join('');
      // Bytes that are no character make some tokenizers (Llama's) read earlier ones anew. What was given out stays;
      // the rest is not lost.
      give(text.startsWith(shown) ? text.slice(shown.length) : (held + decoder.flush()).trimEnd());
    },
  };
}
