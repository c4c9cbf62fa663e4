import type { LoadOptions } from '../parts/load-options.ts';
import { Blip2, type CaptionOptions } from '../tasks/blip2.ts';
import type { TaskImage } from '../tasks/encoded-image.ts';
import { type EitherSpelling, inCamelCase } from './either-spelling.ts';
import { asPipeline, isList, type TaskPipeline } from './task-pipeline.ts';

/** What was written about one image: a list of one, as transformers.js gives it. */
export type ImageToTextOutput = { readonly generated_text: string }[];

/**
 * Captions images. Options are those of `Blip2.caption`, in either spelling. Source: `ImageToTextPipeline` of
 * transformers.js.
 */
export interface ImageToTextPipeline extends TaskPipeline<'image-to-text'> {
  /** @throws Blip2Error `INVALID_ARGUMENT` for an option in both spellings; as `caption` of `ImageTasks`. */
  (images: TaskImage, options?: EitherSpelling<CaptionOptions>): Promise<ImageToTextOutput>;
  /** All in one batch. */
  (images: readonly TaskImage[], options?: EitherSpelling<CaptionOptions>): Promise<ImageToTextOutput[]>;
  /** The tasks behind it, for what else they do: streams, conversations, ranking. */
  readonly model: Blip2;
}

export async function loadImageToText(source: string, options: LoadOptions): Promise<ImageToTextPipeline> {
  const model = await Blip2.fromPretrained(source, options);

  function call(images: TaskImage, options?: EitherSpelling<CaptionOptions>): Promise<ImageToTextOutput>;
  function call(images: readonly TaskImage[], options?: EitherSpelling<CaptionOptions>): Promise<ImageToTextOutput[]>;
  async function call(
    images: TaskImage | readonly TaskImage[],
    options: EitherSpelling<CaptionOptions> = {},
  ): Promise<ImageToTextOutput | ImageToTextOutput[]> {
    const results = await model.caption(isList(images) ? images : [images], inCamelCase<CaptionOptions>(options));
    const outputs = results.map(({ text }) => [{ generated_text: text }]);
    return isList(images) ? outputs : outputs.flat();
  }
  return asPipeline(call, 'image-to-text', { model, processor: model.processor }, model.dispose);
}
