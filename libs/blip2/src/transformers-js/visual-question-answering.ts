import type { TaskImage } from '../images/encoded-image.ts';
import { isImageList } from '../images/image-list.ts';
import type { LoadOptions } from '../parts/load-options.ts';
import { Blip2 } from '../tasks/blip2.ts';
import type { AnswerOptions } from '../tasks/task-options.ts';
import type { TextResult } from '../tasks/text-result.ts';
import { type EitherSpelling, inCamelCase } from './either-spelling.ts';
import { asPipeline, type TaskPipeline } from './task-pipeline.ts';

/** An answer with its score. */
export interface VisualAnswer {
  /** Without special tokens, trimmed. */
  readonly answer: string;
  /** Probability that the model generates exactly this, in [0, 1]. Absent with beam search. */
  readonly score?: number;
}

/** The answer to one question: a list of one, as in transformers 4. */
export type VisualQuestionAnsweringOutput = VisualAnswer[];

/**
 * Answers questions about images. Takes the options of `Blip2.answer` in either spelling. The prompt is
 * `questionPrompt` unless `rawPrompt` or `template` is set. transformers.js has no such task: the arguments are those
 * of
 * its `DocumentQuestionAnsweringPipeline`, the keys of the results those of the task in transformers 4.
 */
export interface VisualQuestionAnsweringPipeline extends TaskPipeline<'visual-question-answering'> {
  /**
   * Answers one question about one image.
   * @throws Blip2Error `INVALID_ARGUMENT` for an option in both spellings; the codes of `answer` of `ImageTasks`.
   */
  (image: TaskImage, question: string, options?: EitherSpelling<AnswerOptions>): Promise<VisualQuestionAnsweringOutput>;
  /**
   * Answers one question about several images, several about one, or the `i`-th about the `i`-th image, in one batch.
   */
  (
    images: TaskImage | readonly TaskImage[],
    questions: string | readonly string[],
    options?: EitherSpelling<AnswerOptions>,
  ): Promise<VisualQuestionAnsweringOutput[]>;
  /** The tasks of the model, for streams, conversations and ranking. */
  readonly model: Blip2;
}

/** Loads the pipeline `visual-question-answering`. */
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
    const answerOptions = inCamelCase<AnswerOptions>(options);
    const results = await model.answer(isImageList(images) ? images : [images], questions, answerOptions);
    const outputs = results.map((result) => [toAnswer(result, answerOptions)]);
    return isImageList(images) || typeof questions !== 'string' ? outputs : outputs.flat();
  }
  return asPipeline(call, 'visual-question-answering', { model, processor: model.processor }, model.dispose);
}

function toAnswer({ text, score }: TextResult, { numBeams = 1 }: AnswerOptions): VisualAnswer {
  return { answer: text, ...(numBeams === 1 && { score: Math.exp(score) }) };
}
