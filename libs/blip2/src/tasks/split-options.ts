import { Blip2Error, defined, type GenerationOptions, mustBe } from '@blip2/interfaces';

import type { ImageOptions } from '../images/task-images.ts';
import type { TaskOptions } from './task-options.ts';

/** Enough for a caption or an answer of one sentence; the 20 of Hugging Face Transformers cuts some short. */
export const DEFAULT_NEW_TOKENS = 32;

/** The options of a task by consumer. */
export interface SplitOptions {
  readonly generation: GenerationOptions;
  readonly imageOptions: ImageOptions;
  readonly onToken: TaskOptions['onToken'];
}

/**
 * Splits the options of a task.
 * @throws Blip2Error `INVALID_ARGUMENT` if a result of a task cannot hold what they request.
 */
export function splitOptions({ autoOrient = true, allowUrls = false, onToken, ...options }: TaskOptions): SplitOptions {
  expectRoom(options);
  if (onToken && (options.numBeams ?? 1) > 1) {
    throw new Blip2Error('INVALID_ARGUMENT', 'onToken cannot be combined with beam search', {
      argument: 'onToken',
      fix: 'Set numBeams to 1, or omit onToken: a beam search decides on its tokens at the end',
    });
  }
  const { signal, interpolatePosEncoding = false } = options;
  return {
    generation: options,
    imageOptions: defined({ autoOrient, allowUrls, interpolatePosEncoding, signal }),
    onToken,
  };
}

const FIX = 'Use generate of the model instead: a task returns one text per image, without prompt and scores';

/** The result of a task is one text of new tokens, without the scores of each step. */
function expectRoom({
  numReturnSequences = 1,
  returnPrompt = false,
  outputScores = false,
  outputLogits = false,
}: TaskOptions): void {
  if (numReturnSequences > 1) throw mustBe('numReturnSequences', '1 in a task', numReturnSequences, { fix: FIX });
  for (const [name, isSet] of Object.entries({ returnPrompt, outputScores, outputLogits })) {
    if (isSet) throw mustBe(name, 'false in a task', isSet, { fix: FIX });
  }
}
