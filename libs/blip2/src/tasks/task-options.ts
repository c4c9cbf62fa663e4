import type { NewToken } from '@blip2/generate';
import type { GenerationOptions } from '@blip2/interfaces';

import type { ImageOptions } from '../images/task-images.ts';
import type { ChatTemplate, PromptTemplate } from './prompt-templates.ts';
import type { RankAnswersOptions } from './rank-answers.ts';

/**
 * Options of every task that generates text: those of generation and of image decoding. Without `maxNewTokens` or
 * `maxLength`, at most 32 new tokens are generated.
 */
export interface TaskOptions extends GenerationOptions, ImageOptions {
  /** Called with each sampled token. `row` is the index of the image or question. Not supported with beam search. */
  readonly onToken?: (token: NewToken) => void;
}

/** Options of `caption`. */
export interface CaptionOptions extends TaskOptions {
  /**
   * Text that the caption continues, such as `a photo of`; the result does not repeat it. Default: none; InstructBLIP
   * requires an instruction and has a default one.
   */
  readonly prompt?: string;
}

/** How a question becomes a prompt. */
export interface QuestionOptions {
  /** Wraps the question in the words of a prompt. Default: `questionPrompt`; with InstructBLIP, `bareQuestion`. */
  readonly template?: PromptTemplate;
  /** Use the question itself as the prompt: the same as `template: bareQuestion`. Default: false. */
  readonly rawPrompt?: boolean;
}

/** Options of `answer`. */
export interface AnswerOptions extends TaskOptions, QuestionOptions {}
/** Options of `rank`. */
export interface RankOptions extends RankAnswersOptions, QuestionOptions {}

/** Options of `chat`; each question can override them. */
export interface ChatOptions extends TaskOptions {
  /** Turns the conversation into a prompt. Default: `chatPrompt`; with InstructBLIP, `instructChatPrompt`. */
  readonly template?: ChatTemplate;
}
