import { realpath } from 'node:fs/promises';

import type { CachedConversion } from '@blip2/checkpoint';

/** The converted weights of a model: a hub id, or the folder that they were made from. */
export async function conversionsOf(
  model: string,
  all: readonly CachedConversion[],
): Promise<readonly CachedConversion[]> {
  const folder = await realpath(model).catch(() => model);
  return all.filter((conversion) => conversion.model === model || conversion.model === folder);
}
