import type { ImageInput } from '../images/image-inputs.ts';
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

/** The images, each with its prompts that are not done yet. */
export function pendingOf(
  inputs: readonly ImageInput[],
  prompts: readonly string[],
  done: ReadonlySet<string>,
): Pending[] {
  // The common case: nothing is done, and all images share one list.
  if (done.size === 0) return inputs.map((input) => ({ input, prompts }));
  return inputs.map((input) => ({
    input,
    prompts: prompts.filter((prompt) => !done.has(keyOf(input.name, prompt))),
  }));
}
