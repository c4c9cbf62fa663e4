import { isFolder } from '@blip2/files';
import type { ResolveOptions } from '@blip2/hub';

/**
 * The folder of a part's source: a folder itself, or the snapshot of a repository id. Workers load parts from folders,
 * so the Hub client is only loaded for other sources.
 * @throws Blip2Error `MISSING_FILE` if there is neither; the codes of a download; the signal's reason.
 */
export async function partFolder(source: string, options: ResolveOptions = {}): Promise<string> {
  options.signal?.throwIfAborted();
  if (await isFolder(source)) return source;
  const { resolveSource } = await import('@blip2/hub');
  return resolveSource(source, options);
}
