import { generateSteps } from '@blip2/generate';
import { Blip2Error, type Decoding, type TokenIds } from '@blip2/interfaces';

import type { TaskOptions } from './blip2.ts';
import type { KeptImage } from './encoded-image.ts';
import { splitOptions, writeTexts } from './generate-texts.ts';
import { expectKnown } from './known-tokens.ts';
import type { ChatTemplate, Turn } from './prompt-templates.ts';
import { decoderOf, deferWriting, followGeneration, type Writing } from './task-generation.ts';
import type { ReadingTools } from './task-images.ts';
import { imageIds } from './task-prompt.ts';
import { createTextStream, type TextStream } from './text-stream.ts';

/** A conversation about one image. */
export interface Conversation extends AsyncDisposable {
  /** What has been asked and answered so far, answers that were cut off included. */
  readonly history: readonly Turn[];
  /**
   * Asks the next question, one at a time: the answer of the last one must have ended. What awaits or iterates the
   * answer is thrown
   * @throws Blip2Error `INVALID_ARGUMENT` for an empty question, or while another is being answered;
   * `SEQUENCE_TOO_LONG` once question and history no longer
   * fit, into the model or into `maxLength`: then the question counts as not asked, and a shorter one may be, or any
   * after `clear`; as `answer` of the tasks else.
   */
  ask(question: string, options?: TaskOptions): TextStream;
  /**
   * Forgets what has been said; the image stays encoded. @throws Blip2Error `INVALID_ARGUMENT` while a question is
   * being answered.
   */
  clear(): void;
  /** Forgets what was read, and the image if it was encoded for this conversation. */
  dispose(): Promise<void>;
}

/**
 * A conversation about an encoded image. A causal model keeps its key-value cache: of each prompt only what has not
 * been read yet is read. A seq2seq model
 * reads the whole prompt anew, for its encoder sees all of it at once; so does InstructBLIP, whose queries depend on
 * the question. `release` gives the image back.
 */
export function createConversation(
  tools: ReadingTools,
  image: KeptImage,
  defaults: TaskOptions,
  template: ChatTemplate,
  release: () => Promise<void>,
): Conversation {
  const history: Turn[] = [];
  const { readPrefix } = image.batch;
  const memory =
    tools.pipeline.language.architecture === 'causal' && readPrefix
      ? createMemory(tools, image.row, readPrefix)
      : undefined;
  let isBusy = false;

  function write(question: string, options: TaskOptions): Writing {
    return deferWriting(async function* (begin) {
      expectQuestion(question);
      expectFree(isBusy);
      const text = template(history, question);
      isBusy = true;
      const writing = begin(memory ? memory.write(text, options) : writeTexts(tools, [{ image, text }], options));
      try {
        yield* writing;
      } catch (error) {
        throw history.length > 0 ? outgrown(error) : error;
      } finally {
        isBusy = false;
        const answer = writing.results()[0]?.text ?? '';
        if (answer !== '') history.push({ question: question.trim(), answer });
      }
    });
  }
  const dispose = async (): Promise<void> => {
    await memory?.[Symbol.asyncDispose]();
    await release();
  };
  return {
    history,
    ask: (question, options) => createTextStream(tools.processor, () => write(question, { ...defaults, ...options })),
    clear() {
      expectFree(isBusy);
      // The model's memory is cut back to what the next prompt shares with it, here the image.
      history.length = 0;
    },
    dispose,
    [Symbol.asyncDispose]: dispose,
  };
}

/** The one decoding of a conversation with a causal model. */
interface Memory extends AsyncDisposable {
  write(text: string, options: TaskOptions): Writing;
}

function createMemory(
  { pipeline: { language }, processor }: ReadingTools,
  row: number,
  readPrefix: () => Promise<Decoding>,
): Memory {
  let queries = 0;
  let decoding: Decoding | undefined;
  /** The ids behind the image that the decoding has read. */
  let held: TokenIds = [];

  /** Makes the decoding have read exactly `ids`, and keeps what it has read of them. */
  async function read(ids: TokenIds): Promise<Decoding> {
    if (decoding) {
      const shared = Math.min(sharedLength(held, ids), ids.length - 1);
      held = held.slice(0, shared);
      if (queries + shared < decoding.length) await decoding.crop(queries + shared);
      await decoding.extend({ ids: [ids.slice(shared)] });
    } else {
      const prefix = await readPrefix();
      queries = prefix.length;
      decoding = await goOn(prefix, row, ids);
    }
    held = ids;
    return decoding;
  }

  function write(text: string, options: TaskOptions): Writing {
    return deferWriting(async function* (begin) {
      const { generation, onToken } = splitOptions(options);
      options.signal?.throwIfAborted();
      const start = performance.now();
      const ids = processor.tokenizer.encode(text, { escapeSpecialTokens: true });
      expectKnown([ids], language.vocabularySize);
      const since = performance.now();
      const main = await read(ids);
      // Beams would leave several rows behind.
      await using branch = (generation.numBeams ?? 1) > 1 ? await main.fork() : undefined;
      const steps = generateSteps(
        language,
        { decoding: branch ?? main, promptIds: [[...imageIds(processor), ...ids]] },
        generation,
        { decode: decoderOf(processor) },
      );
      const writing = begin(
        followGeneration(steps, { processor, onToken, since, before: { preprocess: since - start, encode: 0 } }),
      );
      try {
        yield* writing;
      } finally {
        // The newest token is never read, and what stands in its place (a wrong guess of prompt lookup) is not it.
        if (!branch)
          held = [...ids, ...(writing.results()[0]?.tokenIds.slice(0, -1) ?? [])].slice(0, main.length - queries);
      }
    });
  }
  return { write, [Symbol.asyncDispose]: async () => decoding?.[Symbol.asyncDispose]() };
}

/** What has read a row of the prefix, and then `ids`. */
async function goOn(prefix: Decoding, row: number, ids: TokenIds): Promise<Decoding> {
  const decoding = await prefix.fork();
  try {
    await decoding.extend({ ids: [ids], parents: [row] });
    return decoding;
  } catch (error) {
    await decoding[Symbol.asyncDispose]();
    throw error;
  }
}

function sharedLength(left: TokenIds, right: TokenIds): number {
  const length = Math.min(left.length, right.length);
  for (let index = 0; index < length; index++) if (left[index] !== right[index]) return index;
  return length;
}

function expectQuestion(question: string): void {
  if (question.trim() === '')
    throw new Blip2Error('INVALID_ARGUMENT', 'A question is empty', { where: 'question', fix: 'Ask something' });
}

function expectFree(isBusy: boolean): void {
  if (isBusy)
    throw new Blip2Error('INVALID_ARGUMENT', 'The last question is still being answered', {
      where: 'conversation',
      fix: 'Await its answer first',
    });
}

/** What refuses a prompt as too long speaks of prompts; here the history is to blame. */
function outgrown(error: unknown): unknown {
  if (!(error instanceof Blip2Error) || (error.code !== 'SEQUENCE_TOO_LONG' && error.details.argument !== 'maxLength'))
    return error;
  const { expected, got } = error.details;
  return new Blip2Error(
    'SEQUENCE_TOO_LONG',
    'The conversation with this question is too long for the model or for maxLength',
    {
      where: 'question',
      ...(expected !== undefined && { expected }),
      ...(got !== undefined && { got }),
      fix: 'Ask something shorter, or clear the conversation and ask again',
      cause: error,
    },
  );
}
