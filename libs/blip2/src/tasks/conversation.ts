import { generateSteps } from '@blip2/generate';
import { Blip2Error, type Decoding, type TokenIds } from '@blip2/interfaces';
import type { TaskOptions } from '../blip2.ts';
import type { ChatTemplate, Turn } from '../prompt-templates.ts';
import { splitOptions, writeTexts } from '../write-texts.ts';
import type { KeptImage } from './encoded-image.ts';
import type { ReadingTools } from './task-images.ts';
import { imageIds } from './task-prompt.ts';
import { createTextStream, type TextStream } from './text-stream.ts';
import { decoderOf, deferWriting, followGeneration, type Writing } from './writing.ts';

/** A conversation about one picture. */
export interface Conversation extends AsyncDisposable {
  /** What has been asked and answered so far, answers that were cut off included. */
  readonly history: readonly Turn[];
  /** Asks the next question, one at a time: the answer of the last one must have ended. */
  ask(question: string, options?: TaskOptions): TextStream;
  dispose(): Promise<void>;
}

/**
 * A conversation about an encoded picture. A causal model keeps its key-value cache: of each prompt only what has not been read yet is read. A seq2seq model
 * reads the whole prompt anew, for its encoder sees all of it at once; so does InstructBLIP, whose queries depend on the question. `release` gives the picture back.
 */
export function createConversation(tools: ReadingTools, image: KeptImage, defaults: TaskOptions, template: ChatTemplate, release: () => Promise<void>): Conversation {
  const history: Turn[] = [];
  const { readPrefix } = image.batch;
  const memory = tools.pipeline.language.architecture === 'causal' && readPrefix ? createMemory(tools, image.row, readPrefix) : undefined;
  let isBusy = false;

  function write(question: string, options: TaskOptions): Writing {
    return deferWriting(async function* (begin) {
      expectFree(isBusy, question);
      isBusy = true;
      const text = template(history, question);
      const writing = begin(memory ? memory.write(text, options) : writeTexts(tools, [{ image, text }], options));
      try {
        yield* writing;
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
  return { history, ask: (question, options) => createTextStream(tools.processor, () => write(question, { ...defaults, ...options })), dispose, [Symbol.asyncDispose]: dispose };
}

/** The one decoding of a conversation with a causal model. */
interface Memory extends AsyncDisposable {
  write(text: string, options: TaskOptions): Writing;
}

function createMemory({ pipeline: { language }, processor }: ReadingTools, row: number, readPrefix: () => Promise<Decoding>): Memory {
  let queries = 0;
  let decoding: Decoding | undefined;
  /** The ids behind the picture that the decoding has read. */
  let held: TokenIds = [];

  /** Makes the decoding have read exactly `ids`, and keeps what it has read of them. */
  async function read(ids: TokenIds): Promise<Decoding> {
    const shared = Math.min(sharedLength(held, ids), ids.length - 1);
    const next = decoding ?? (await (await readPrefix()).fork());
    if (!decoding) queries = next.length;
    held = held.slice(0, shared);
    if (queries + shared < next.length) await next.crop(queries + shared);
    await next.extend({ ids: [ids.slice(shared)], ...(!decoding && { parents: [row] }) });
    held = ids;
    return (decoding = next);
  }

  function write(text: string, options: TaskOptions): Writing {
    return deferWriting(async function* (begin) {
      const { generation, onToken } = splitOptions(options);
      options.signal?.throwIfAborted();
      const start = performance.now();
      const ids = processor.tokenizer.encode(text, { escapeSpecialTokens: true });
      const since = performance.now();
      const main = await read(ids);
      // Beams would leave several rows behind.
      const branch = (generation.numBeams ?? 1) > 1 ? await main.fork() : undefined;
      const steps = generateSteps(language, { decoding: branch ?? main, promptIds: [[...imageIds(processor), ...ids]] }, generation, { decode: decoderOf(processor) });
      const writing = begin(followGeneration(steps, { processor, onToken, since, before: { preprocess: since - start, encode: 0 } }));
      try {
        yield* writing;
      } finally {
        await branch?.[Symbol.asyncDispose]();
        // The newest token is never read, and what stands in its place (a wrong guess of prompt lookup) is not it.
        if (!branch) held = [...ids, ...(writing.results()[0]?.tokenIds.slice(0, -1) ?? [])].slice(0, main.length - queries);
      }
    });
  }
  return { write, [Symbol.asyncDispose]: async () => decoding?.[Symbol.asyncDispose]() };
}

function sharedLength(left: TokenIds, right: TokenIds): number {
  const length = Math.min(left.length, right.length);
  for (let index = 0; index < length; index++) if (left[index] !== right[index]) return index;
  return length;
}

function expectFree(isBusy: boolean, question: string): void {
  if (question.trim() === '') throw new Blip2Error('INVALID_ARGUMENT', 'A question is empty', { where: 'question', fix: 'Ask something' });
  if (isBusy) throw new Blip2Error('INVALID_ARGUMENT', 'The last question is still being answered', { where: 'ask', fix: 'Await its answer first' });
}
