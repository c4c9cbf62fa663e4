import type { Environment } from '../environment.ts';
import type { ImageInput } from '../images/image-input.ts';
import { readStdin } from '../images/read-stdin.ts';
import type { OpenedImage, OpenImage, OpenImageOptions } from '../model/model-port.ts';

/** An image and what is still to be done for it. */
export interface Pending {
  readonly input: ImageInput;
  readonly parts: readonly string[];
}
/** An image after the attempt to open it. */
export type Opened = { readonly name: string; readonly parts: readonly string[] } & (
  OpenedImage | { readonly error: unknown }
);

export interface Opening extends OpenImageOptions {
  readonly open: OpenImage;
  readonly stdin: Environment['stdin'];
}

/** Opens an image. A failure is part of the result, except the standard one of an abort. */
export async function openPending({ input, parts }: Pending, { open, stdin, ...options }: Opening): Promise<Opened> {
  const { name } = input;
  const { signal } = options;
  signal.throwIfAborted();
  if ('error' in input) return { name, parts, error: input.error };
  try {
    const source = input.source === 'stdin' ? await readStdin(stdin, 'an image', signal) : input.source;
    const opened = await open(source, options);
    signal.throwIfAborted();
    return { name, parts, ...opened };
  } catch (error) {
    signal.throwIfAborted();
    return { name, parts, error };
  }
}
