import { expectKnownOptions, generationOptions, mustBe } from '@blip2/interfaces';

import { expectImageOptions, IMAGE_OPTIONS } from '../images/task-images.ts';
import type { AnswerOptions, CaptionOptions, ChatOptions, RankOptions, TaskOptions } from './task-options.ts';

type Own<Options, Base> = Readonly<Record<Exclude<keyof Options, keyof Base>, true>>;

const CAPTION: Own<CaptionOptions, TaskOptions> = { prompt: true };
const ANSWER: Own<AnswerOptions, TaskOptions> = { template: true, rawPrompt: true };
const CHAT: Own<ChatOptions, TaskOptions> = { template: true };
const RANK: Readonly<Record<keyof RankOptions, true>> = {
  rankBy: true,
  endToken: true,
  template: true,
  rawPrompt: true,
  autoOrient: true,
  allowUrls: true,
  interpolatePosEncoding: true,
  signal: true,
};

const GENERATION: readonly string[] = [...Object.keys(generationOptions), ...IMAGE_OPTIONS, 'onToken'];

/** Names of the options of each task. */
const OPTIONS: Readonly<Record<'caption' | 'answer' | 'chat' | 'ask' | 'rank' | 'encode', readonly string[]>> = {
  caption: [...GENERATION, ...Object.keys(CAPTION)],
  answer: [...GENERATION, ...Object.keys(ANSWER)],
  chat: [...GENERATION, ...Object.keys(CHAT)],
  ask: GENERATION,
  rank: Object.keys(RANK),
  encode: IMAGE_OPTIONS,
};

/**
 * Checks the names of the options of a task, and the values that nothing else checks before images are decoded.
 * @throws Blip2Error `UNKNOWN_OPTION`, with the nearest known name; `INVALID_ARGUMENT`.
 */
export function expectTaskOptions(task: keyof typeof OPTIONS, options: unknown): void {
  expectKnownOptions(task, options, OPTIONS[task]);
  const { onToken, rankBy, endToken, ...others }: TaskOptions & RankOptions = options ?? {};
  expectImageOptions(others);
  if (onToken !== undefined && typeof onToken !== 'function') throw mustBe('onToken', 'a function', onToken);
  if (rankBy !== undefined && rankBy !== 'logProb' && rankBy !== 'logProbPerToken')
    throw mustBe('rankBy', "'logProb' or 'logProbPerToken'", rankBy);
  if (endToken !== undefined && typeof endToken !== 'boolean') throw mustBe('endToken', 'true or false', endToken);
}
