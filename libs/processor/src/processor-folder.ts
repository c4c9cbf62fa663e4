import { isFolder } from '@blip2/files';
import type { ResolveOptions } from '@blip2/hub';
import { mustBe } from '@blip2/interfaces';

/** The sources of a processor of several checkpoints: folders or Hub ids. */
export interface ProcessorSources {
  /** Settings of the image processor: of the checkpoint of the vision encoder. */
  readonly images: string;
  /** Tokenizer: of the checkpoint of the language model. */
  readonly text: string;
}

/**
 * The folder of a processor's source: a folder itself, or the snapshot of a repository id, for which alone the Hub
 * client is loaded.
 * @throws Blip2Error as `resolveProcessorSource` of `@blip2/hub`.
 */
export async function processorFolder(source: string, options: ResolveOptions = {}): Promise<string> {
  options.signal?.throwIfAborted();
  if (await isFolder(source)) return source;
  const { resolveProcessorSource } = await import('@blip2/hub');
  return resolveProcessorSource(source, options);
}

/** @throws Blip2Error `INVALID_ARGUMENT` for anything but a source, or one for images and one for text. */
export function processorSources(source: string | ProcessorSources): ProcessorSources {
  if (typeof source === 'string') return { images: source, text: source };
  if (typeof source === 'object' && (source as object | null) !== null) {
    const { images, text } = source;
    if (typeof images === 'string' && typeof text === 'string') return { images, text };
  }
  throw mustBe('source', 'a folder, a Hub id, or an object with images and text', source);
}
