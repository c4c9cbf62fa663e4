import type { HubIo, PlanOptions } from '@blip2/hub';

import type { ModelOutline } from './model-outline.ts';

/**
 * Fetches the configuration, tokenizers and tensor headers of a model that is not in the cache, with range requests: a
 * few MB of many GB. The Hub client is loaded on use, because every part imports this package.
 * @throws Blip2Error `NOT_FOUND`, `UNAUTHORIZED`, `DOWNLOAD_FAILED`, `OFFLINE`, `MISSING_FILE`,
 * `INVALID_CHECKPOINT`, `WRITE_FAILED`, `INVALID_ARGUMENT`; the
 * signal's reason.
 */
export async function outlineModel(id: string, options?: PlanOptions, io?: HubIo): Promise<ModelOutline> {
  const { fetchOutline } = await import('./model-outline.ts');
  return fetchOutline(id, options, io);
}
