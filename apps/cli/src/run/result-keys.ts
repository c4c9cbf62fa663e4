import type { ImageInput } from '../images/image-input.ts';
import type { ImageTask } from './image-task.ts';
import type { Pending } from './open-pending.ts';

type ResultLine = Readonly<Record<string, unknown>>;

/** What a result is known by: its image and its part of the task. */
export function keyOf(image: string, part: string): string {
  return JSON.stringify([image, part]);
}

/** The key of a JSON line; `undefined` for an image that failed, and for lines of another task. */
export function keyOfLine({ partOf }: Pick<ImageTask<never, never>, 'partOf'>, line: ResultLine): string | undefined {
  const { image, error } = line;
  const part = partOf(line);
  return typeof image === 'string' && error === undefined && part !== undefined ? keyOf(image, part) : undefined;
}

/** The images and what is left to do for each. */
export function pendingOf(
  inputs: readonly ImageInput[],
  parts: readonly string[],
  done: ReadonlySet<string>,
): Pending[] {
  // Most runs begin with nothing done: then all images share one list.
  if (done.size === 0) return inputs.map((input) => ({ input, parts }));
  return inputs.map((input) => ({ input, parts: parts.filter((part) => !done.has(keyOf(input.name, part))) }));
}
