import { generateSteps } from '@blip2/generate';
import { Blip2Error, type GenerationOptions } from '@blip2/interfaces';

import type { TaskOptions } from './blip2.ts';
import { isEncoded, type KeptImage, type TaskImage } from './encoded-image.ts';
import { decoderOf, deferWriting, followGeneration, type Writing } from './task-generation.ts';
import { encodeTaskImages, type ImageOptions, type ReadingTools } from './task-images.ts';
import { encodeTexts, openPrompt } from './task-prompt.ts';

/** An image and what the model is to go on from; without text it describes the image. */
export interface ImageText {
  readonly image: TaskImage<KeptImage>;
  readonly text: string | undefined;
}

/** Enough for any caption or answer of one sentence; the reference's 20 cuts some short. */
const DEFAULT_NEW_TOKENS = 32;

/**
 * Writes one text per row, all rows in one batch. Images that occur several times are encoded, and by causal models
 * read, once.
 */
export function writeTexts(tools: ReadingTools, rows: readonly ImageText[], options: TaskOptions): Writing {
  return deferWriting(async function* (begin) {
    if (rows.length === 0) return;
    const { generation, reading, onToken } = splitOptions(options);
    const {
      pipeline: { language },
      processor,
    } = tools;
    const start = performance.now();
    const words = rows.flatMap(({ text }) => text ?? []);
    const texts = words.length > 0 ? encodeTexts(tools, words) : undefined;
    const tokenising = performance.now() - start;
    await using images = await encodeTaskImages(
      tools,
      rows.map(({ image }) => image),
      reading,
    );
    options.signal?.throwIfAborted();
    const since = performance.now();
    await using opened = await openPrompt(
      tools,
      images.rows,
      texts,
      rows.every(({ image }) => isEncoded(image)),
    );
    const steps = generateSteps(language, opened.prompt, generation, { decode: decoderOf(processor) });
    yield* begin(
      followGeneration(steps, {
        processor,
        onToken,
        since,
        before: { preprocess: tokenising + images.preprocess, encode: images.encode },
      }),
    );
  });
}

/** The options of a task, by who takes them. */
export interface SplitOptions {
  /** With the task's own defaults. */
  readonly generation: GenerationOptions;
  readonly reading: ImageOptions;
  readonly onToken: TaskOptions['onToken'];
}

/** `INVALID_ARGUMENT` where a task has no room for what its options ask. */
export function splitOptions({ autoOrient = true, allowUrls = false, onToken, ...options }: TaskOptions): SplitOptions {
  expectRoom(options);
  if (onToken && (options.numBeams ?? 1) > 1) {
    throw new Blip2Error(
      'INVALID_ARGUMENT',
      'A beam search decides about its tokens at the end, so none could be heard',
      { where: 'onToken', fix: 'Set numBeams to 1, or leave onToken out' },
    );
  }
  const { signal, interpolatePosEncoding = false } = options;
  const isOpen = options.maxNewTokens === undefined && options.maxLength === undefined;
  return {
    generation: { ...(isOpen && { maxNewTokens: DEFAULT_NEW_TOKENS }), ...options },
    reading: { autoOrient, allowUrls, interpolatePosEncoding, ...(signal && { signal }) },
    onToken,
  };
}

/** A result of a task is one text of new tokens, without scores of every step. */
function expectRoom({
  numReturnSequences = 1,
  returnPrompt = false,
  outputScores = false,
  outputLogits = false,
}: TaskOptions): void {
  if (numReturnSequences > 1)
    throw noRoom('A task gives one text per image', 'numReturnSequences', '1', numReturnSequences);
  if (returnPrompt)
    throw noRoom('A task gives what the model wrote, without the prompt', 'returnPrompt', 'false', returnPrompt);
  for (const [where, isWanted] of Object.entries({ outputScores, outputLogits })) {
    if (isWanted) throw noRoom('A task gives texts, without the scores of every step', where, 'false', isWanted);
  }
}

function noRoom(message: string, where: string, expected: string, got: number | boolean): Blip2Error {
  return new Blip2Error('INVALID_ARGUMENT', message, {
    where,
    expected,
    got: String(got),
    fix: 'Use generate of the model',
  });
}
