import type { Blip2Error } from '@blip2/interfaces';

import type { ImageInput } from '../images/image-inputs.ts';
import type { ResultSink } from '../output/result-sink.ts';
import type { ResultObject } from '../tables/table.ts';
import type { ImageTask } from './image-task.ts';
import type { Pending } from './open-pending.ts';

/** Identity of a result: its image and its prompt. */
export function keyOf(image: string, prompt: string): string {
  return JSON.stringify([image, prompt]);
}

/** The key of a JSON line; `undefined` for images that failed and for lines of another task. */
export function keyOfLine(
  { promptOf }: Pick<ImageTask<never, never>, 'promptOf'>,
  line: ResultObject,
): string | undefined {
  const { image, error } = line;
  const prompt = promptOf(line);
  return typeof image === 'string' && error === undefined && prompt !== undefined ? keyOf(image, prompt) : undefined;
}

const NO_FAILURES: ReadonlyMap<string, Blip2Error> = new Map();

/**
 * The images, each with its prompts that are not done yet. An image that is named several times has that many lines, as
 * in a run that was not stopped.
 */
export function pendingOf(
  inputs: readonly ImageInput[],
  prompts: readonly string[],
  { done, failures = NO_FAILURES }: Pick<ResultSink, 'done' | 'failures'>,
): Pending[] {
  // The common case: nothing is done, and all images share one list.
  const failed = (input: ImageInput): ImageInput => {
    const error = failures.get(input.name);
    return error ? { name: input.name, error } : input;
  };
  if (done.size === 0) return inputs.map((input) => ({ input: failed(input), prompts }));
  const left = new Map(done);
  return inputs.map((input) => ({
    input: failed(input),
    prompts: prompts.filter((prompt) => !takeLine(left, keyOf(input.name, prompt))),
  }));
}

/** The texts that are not done yet. A text that is given several times has that many lines. */
export function leftOf(texts: readonly string[], done: ReadonlyMap<string, number>): string[] {
  const left = new Map(done);
  return texts.filter((text) => !takeLine(left, text));
}

/** Whether a line with this key is left, which is removed. */
function takeLine(left: Map<string, number>, key: string): boolean {
  const count = left.get(key) ?? 0;
  left.set(key, count - 1);
  return count > 0;
}
