import type { ImageSource } from '@blip2/interfaces';
import type { Blip2Processor } from '@blip2/processor';

import type { LoadOptions } from '../parts/load-options.ts';
import type { EitherSpelling } from './either-spelling.ts';

/** What every pipeline has beside the call. */
export interface TaskPipeline<Task extends string> extends AsyncDisposable {
  /** The name that `pipeline` was given. */
  readonly task: Task;
  /** Image processor and tokenizer. */
  readonly processor: Blip2Processor;
  /** Gives the model's memory back. */
  dispose(): Promise<void>;
}

/** Options of `pipeline`: those of `fromPretrained`, in either spelling. */
export type PipelineOptions = EitherSpelling<LoadOptions>;

/** Whether several images were given, for which there is a list of results. */
export function isList<Image>(images: Image | readonly Image[]): images is readonly Image[] {
  return Array.isArray(images);
}

/** A function that has what every pipeline has; ended by `dispose`. */
export function asPipeline<
  Call extends (images: ImageSource, ...rest: never[]) => unknown,
  Task extends string,
  Parts extends { readonly processor: Blip2Processor },
>(call: Call, task: Task, parts: Parts, dispose: () => Promise<void>): Call & TaskPipeline<Task> & Parts {
  return Object.assign(call, { task, ...parts, dispose, [Symbol.asyncDispose]: dispose });
}
