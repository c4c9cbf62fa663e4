import type { ImageSource } from '@blip2/interfaces';
import type { Blip2Processor } from '@blip2/processor';

import type { LoadOptions } from '../parts/load-options.ts';
import type { EitherSpelling } from './either-spelling.ts';

/** The members of every pipeline besides the call. */
export interface TaskPipeline<Task extends string> extends AsyncDisposable {
  /** The task that `pipeline` was called with. */
  readonly task: Task;
  /** Image processor and tokenizer. */
  readonly processor: Blip2Processor;
  /** Disposes of the model. */
  dispose(): Promise<void>;
}

/** Options of `pipeline`: those of `fromPretrained`, in either spelling. */
export type PipelineOptions = EitherSpelling<LoadOptions>;

/** Adds the members of every pipeline to a function; disposal calls `dispose`. */
export function asPipeline<
  Call extends (images: ImageSource, ...rest: never[]) => unknown,
  Task extends string,
  Parts extends { readonly processor: Blip2Processor },
>(call: Call, task: Task, parts: Parts, dispose: () => Promise<void>): Call & TaskPipeline<Task> & Parts {
  return Object.assign(call, { task, ...parts, dispose, [Symbol.asyncDispose]: dispose });
}
