import type { LoadOptions } from '../parts/load-options.ts';
import { type AnswerOptions, Blip2 } from '../tasks/blip2.ts';
import type { TaskImage } from '../tasks/encoded-image.ts';
import type { TextResult } from '../tasks/text-result.ts';
import { type EitherSpelling, inCamelCase } from './either-spelling.ts';
import { asPipeline, isList, type TaskPipeline } from './task-pipeline.ts';

/** An answer. */
export interface VisualAnswer {
  /** Without special tokens, trimmed. */
  readonly answer: string;
  /** How likely the model was to write exactly this, in [0, 1]. Not with beams, whose scores are no probabilities. */
  readonly score?: number;
}

/** The answer to one question: a list of one. */
export type VisualQuestionAnsweringOutput = VisualAnswer[];

/**
 * Answers questions about images. Options are those of `Blip2.answer`, in either spelling; a question is put into the
 * words that the model was trained on
 * (`questionPrompt`) unless `rawPrompt` or `template` say otherwise.
 * Source: arguments as `DocumentQuestionAnsweringPipeline` of transformers.js takes them, which has no such task; keys
 * of the task in transformers 4.
 */
export interface VisualQuestionAnsweringPipeline extends TaskPipeline<'visual-question-answering'> {
  /** @throws Blip2Error `INVALID_ARGUMENT` for an option in both spellings; as `answer` of `ImageTasks`. */
  (image: TaskImage, question: string, options?: EitherSpelling<AnswerOptions>): Promise<VisualQuestionAnsweringOutput>;
  /**
   * One about several images, several about one, or the `i`-th about the `i`-th, all in one batch: one output for each.
   */
  (
    images: TaskImage | readonly TaskImage[],
    questions: string | readonly string[],
    options?: EitherSpelling<AnswerOptions>,
  ): Promise<VisualQuestionAnsweringOutput[]>;
  /** The tasks behind it, for what else they do: streams, conversations, ranking. */
  readonly model: Blip2;
}

export async function loadVisualQuestionAnswering(
  source: string,
  options: LoadOptions,
): Promise<VisualQuestionAnsweringPipeline> {
  const model = await Blip2.fromPretrained(source, options);

  function call(
    image: TaskImage,
    question: string,
    options?: EitherSpelling<AnswerOptions>,
  ): Promise<VisualQuestionAnsweringOutput>;
  function call(
    images: TaskImage | readonly TaskImage[],
    questions: string | readonly string[],
    options?: EitherSpelling<AnswerOptions>,
  ): Promise<VisualQuestionAnsweringOutput[]>;
  async function call(
    images: TaskImage | readonly TaskImage[],
    questions: string | readonly string[],
    options: EitherSpelling<AnswerOptions> = {},
  ): Promise<VisualQuestionAnsweringOutput | VisualQuestionAnsweringOutput[]> {
    const asked = inCamelCase<AnswerOptions>(options);
    const results = await model.answer(isList(images) ? images : [images], questions, asked);
    const outputs = results.map((result) => [toAnswer(result, asked)]);
    return isList(images) || typeof questions !== 'string' ? outputs : outputs.flat();
  }
  return asPipeline(call, 'visual-question-answering', { model, processor: model.processor }, model.dispose);
}

function toAnswer({ text, score }: TextResult, { numBeams = 1 }: AnswerOptions): VisualAnswer {
  return { answer: text, ...(numBeams === 1 && { score: Math.exp(score) }) };
}
