import type { TokenIds } from '@blip2/interfaces';

import { onlyResult } from '../images/image-list.ts';
import type { TaskProcessor } from '../images/task-images.ts';
import { DisposalStack } from '../lifetime/disposal-stack.ts';
import { lazyPromise } from '../lifetime/lazy-promise.ts';
import { resultsOf, type StartGeneration, type TaskGeneration, textDecoder } from './task-generation.ts';
import { createTextPieces, type TextPieces } from './text-pieces.ts';
import type { TextResult } from './text-result.ts';

/**
 * A text that is being generated. Await it for the result, or iterate it for the pieces as they are generated: whole
 * characters that, joined, are the `text` of the result (unless the tokenizer decodes earlier bytes differently because
 * of a later incomplete character, as Llama's does).
 *
 * It can be awaited and iterated in either order and any number of times; the model runs once, from the first use on.
 * Leaving the loop early stops generation before the next token; the result is then what has been generated so far
 * (`finishReason` `aborted`). A beam search yields one piece at its end.
 */
export interface TextStream extends Promise<TextResult>, AsyncIterable<string> {
  /** What has been generated so far, also after an abort or an error; `undefined` before generation has started. */
  readonly partial: TextResult | undefined;
}

/**
 * A stream of the first row of a generation, which starts on first use.
 * @param toError Replaces an error before the stream rejects with it.
 */
export function createTextStream(
  processor: Pick<TaskProcessor, 'decode'>,
  start: StartGeneration,
  toError: (error: unknown) => unknown = (error) => error,
): TextStream {
  return new GenerationStream(textDecoder(processor), start, toError);
}

class GenerationStream implements TextStream {
  readonly [Symbol.toStringTag] = 'TextStream';
  readonly #decode: (ids: TokenIds) => string;
  readonly #start: StartGeneration;
  readonly #toError: (error: unknown) => unknown;
  readonly #text: TextPieces;
  readonly #resources = new DisposalStack();
  #started: TaskGeneration | undefined;
  #endedAt: number | undefined;
  #pending: Promise<void> | undefined;
  #failure: { readonly error: unknown } | undefined;
  #isStopped = false;
  #isDone = false;

  constructor(decode: (ids: TokenIds) => string, start: StartGeneration, toError: (error: unknown) => unknown) {
    this.#decode = decode;
    this.#start = start;
    this.#toError = toError;
    this.#text = createTextPieces(decode);
  }

  get partial(): TextResult | undefined {
    return this.#started && resultsOf(this.#started, this.#decode, this.#endedAt)[0];
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<string, void, undefined> {
    const { pieces } = this.#text;
    try {
      for (let index = 0; ; index++) {
        while (index >= pieces.length && !this.#isDone) await this.#advance();
        const piece = pieces[index];
        if (piece === undefined) break;
        yield piece;
      }
      this.#result();
    } finally {
      this.#isStopped = true;
      while (!this.#isDone) await this.#advance();
    }
  }

  readonly then: TextStream['then'] = (fulfilled, rejected) => this.#finish().then(fulfilled, rejected);
  readonly catch: TextStream['catch'] = (rejected) => this.#finish().catch(rejected);
  readonly finally: TextStream['finally'] = (settled) => this.#finish().finally(settled);

  readonly #finish = lazyPromise(async () => {
    while (!this.#isDone) await this.#advance();
    return this.#result();
  });

  /** Takes one step, or waits for the one in progress. Never rejects. */
  #advance(): Promise<void> {
    this.#pending ??= this.#step()
      .catch((error: unknown) => {
        this.#failure = { error };
        this.#isDone = true;
      })
      .finally(() => (this.#pending = undefined));
    return this.#pending;
  }

  async #step(): Promise<void> {
    let isLast = true;
    try {
      isLast = await this.#generate();
    } catch (error) {
      throw this.#toError(error);
    } finally {
      if (isLast) {
        this.#endedAt = performance.now();
        await this.#resources[Symbol.asyncDispose]();
      }
    }
    if (!isLast) return;
    this.#isDone = true;
    if (!this.#isStopped) this.#text.complete(this.partial?.text ?? '');
  }

  /** Generates the next token, or ends the generation if the stream was stopped; true at its end. */
  async #generate(): Promise<boolean> {
    const { generation, onToken, turn } = (this.#started ??= await this.#start(this.#resources));
    turn?.resume();
    const { done = false, value } = this.#isStopped
      ? await generation.return(generation.output())
      : await generation.next();
    if (done || !('tokens' in value)) return true;
    try {
      for (const token of value.tokens) onToken?.(token);
    } catch (error) {
      await generation.return(generation.output());
      throw error;
    }
    for (const { id } of value.tokens) this.#text.add(id);
    turn?.pause();
    return false;
  }

  /** @throws what ended the generation. */
  #result(): TextResult {
    if (this.#failure) throw this.#failure.error;
    return onlyResult(this.partial === undefined ? [] : [this.partial]);
  }
}
