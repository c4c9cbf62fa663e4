import { stat } from 'node:fs/promises';
import { Blip2Error } from '@blip2/interfaces';

export interface ResolveOptions {
  readonly revision?: string;
  readonly cacheDir?: string;
  readonly token?: string;
  readonly localFilesOnly?: boolean;
  readonly signal?: AbortSignal;
}

/** Turns the `source` of a `fromPretrained` into a folder on this machine. One that downloads goes here. */
export type SourceResolver = (source: string, options?: ResolveOptions) => Promise<string>;

/** `owner/name`, or the name of an old repository without owner. */
const hubId = /^[\w.-]+(?:\/[\w.-]+)?$/;

/** Takes a folder in the hub layout as it is. Fails with `MISSING_FILE` for anything else. */
export const resolveSource: SourceResolver = async (source, { signal } = {}) => {
  signal?.throwIfAborted();
  const found = await stat(source).catch(() => undefined);
  if (found?.isDirectory()) return source;
  if (found) throw new Blip2Error('MISSING_FILE', 'The model is a file, not a folder', { where: source, fix: 'Give the folder that holds config.json and the weights' });
  if (hubId.test(source)) {
    throw new Blip2Error('MISSING_FILE', 'There is no such folder, and downloading from the hub is not available yet', { where: source, fix: 'Download the repository by other means and give its folder' });
  }
  throw new Blip2Error('MISSING_FILE', 'The model folder does not exist', { where: source });
};
