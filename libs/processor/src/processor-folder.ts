import { isFolder } from '@blip2/files';
import type { ResolveOptions } from '@blip2/hub';

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
