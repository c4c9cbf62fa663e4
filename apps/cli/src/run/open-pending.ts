import type { Environment } from '../environment.ts';
import type { ImageInput } from '../images/image-inputs.ts';
import type { OpenedImage, OpenImage, OpenImageOptions } from '../images/image-port.ts';
import { readStdin } from '../images/read-stdin.ts';

/** An image and the prompts that are not done yet. */
export interface Pending {
  readonly input: ImageInput;
  readonly prompts: readonly string[];
}
/** The result of opening an image: the image or an error. */
export type OpenedInput = { readonly name: string; readonly prompts: readonly string[] } & (
  OpenedImage | { readonly error: unknown }
);

export interface Opening extends OpenImageOptions {
  readonly open: OpenImage;
  readonly stdin: Environment['stdin'];
}

/** Opens an image. A failure is returned, except an abort, which is thrown. */
export async function openPending(
  { input, prompts }: Pending,
  { open, stdin, ...options }: Opening,
): Promise<OpenedInput> {
  const { name } = input;
  const { signal } = options;
  signal.throwIfAborted();
  if ('error' in input) return { name, prompts, error: input.error };
  try {
    const source = input.source === 'stdin' ? await readStdin(stdin, 'an image', signal) : input.source;
    const opened = await open(source, options);
    signal.throwIfAborted();
    return { name, prompts, ...opened };
  } catch (error) {
    signal.throwIfAborted();
    return { name, prompts, error };
  }
}
