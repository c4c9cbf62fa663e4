import type { RgbImage } from '@blip2/interfaces';
import type { Environment } from '../environment.ts';
import type { ImageInput } from '../images/image-input.ts';
import { readStdin } from '../images/read-stdin.ts';

/** A picture and what is still to be done for it. */
export interface Pending {
  readonly input: ImageInput;
  readonly parts: readonly string[];
}
/** A picture after the attempt to open it. */
export type Opened = { readonly name: string; readonly parts: readonly string[] } & ({ readonly image: RgbImage } | { readonly error: unknown });

/** The pictures in order, opened, in groups of about `size` parts. A picture is never split, so each is encoded once. */
export async function* batchesOf(pending: readonly Pending[], size: number, environment: Environment, signal: AbortSignal): AsyncGenerator<readonly Opened[]> {
  let batch: Opened[] = [];
  let parts = 0;
  for (const next of pending) {
    signal.throwIfAborted();
    if (batch.length > 0 && parts + next.parts.length > size) {
      yield batch;
      [batch, parts] = [[], 0];
    }
    const opened = await open(next, environment, signal);
    batch.push(opened);
    if ('image' in opened) parts += next.parts.length;
  }
  signal.throwIfAborted();
  if (batch.length > 0) yield batch;
}

async function open({ input, parts }: Pending, environment: Environment, signal: AbortSignal): Promise<Opened> {
  const { name } = input;
  if ('error' in input) return { name, parts, error: input.error };
  try {
    const source = input.source === 'stdin' ? await readStdin(environment.stdin, 'an image', signal) : input.source;
    return { name, parts, image: await environment.decodeImage(source, { signal }) };
  } catch (error) {
    signal.throwIfAborted();
    return { name, parts, error };
  }
}
