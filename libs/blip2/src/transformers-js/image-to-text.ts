import type { TaskImage } from '../images/encoded-image.ts';
import { isImageList } from '../images/image-list.ts';
import type { LoadOptions } from '../parts/load-options.ts';
import { Blip2 } from '../tasks/blip2.ts';
import type { CaptionOptions } from '../tasks/task-options.ts';
import { type EitherSpelling, inCamelCase } from './either-spelling.ts';
import { asPipeline, type TaskPipeline } from './task-pipeline.ts';

/** The caption of one image: a list of one, as in transformers.js. */
export type ImageToTextOutput = { readonly generated_text: string }[];

/**
 * Captions images. Takes the options of `Blip2.caption` in either spelling. Source: `ImageToTextPipeline` of
 * transformers.js.
 */
export interface ImageToTextPipeline extends TaskPipeline<'image-to-text'> {
  /**
   * Captions one image.
   * @throws Blip2Error `INVALID_ARGUMENT` for an option in both spellings; the codes of `caption` of `ImageTasks`.
   */
  (images: TaskImage, options?: EitherSpelling<CaptionOptions>): Promise<ImageToTextOutput>;
  /** Captions several images in one batch. */
  (images: readonly TaskImage[], options?: EitherSpelling<CaptionOptions>): Promise<ImageToTextOutput[]>;
  /** The tasks of the model, for streams, conversations and ranking. */
  readonly model: Blip2;
}

/** Loads the pipeline `image-to-text`. */
export async function loadImageToText(source: string, options: LoadOptions): Promise<ImageToTextPipeline> {
  const model = await Blip2.fromPretrained(source, options);

  function call(images: TaskImage, options?: EitherSpelling<CaptionOptions>): Promise<ImageToTextOutput>;
  function call(images: readonly TaskImage[], options?: EitherSpelling<CaptionOptions>): Promise<ImageToTextOutput[]>;
  async function call(
    images: TaskImage | readonly TaskImage[],
    options: EitherSpelling<CaptionOptions> = {},
  ): Promise<ImageToTextOutput | ImageToTextOutput[]> {
    const results = await model.caption(isImageList(images) ? images : [images], inCamelCase<CaptionOptions>(options));
    const outputs = results.map(({ text }) => [{ generated_text: text }]);
    return isImageList(images) ? outputs : outputs.flat();
  }
  return asPipeline(call, 'image-to-text', { model, processor: model.processor }, model.dispose);
}
