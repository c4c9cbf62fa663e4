import { stat } from 'node:fs/promises';

import { mustBe } from '@blip2/interfaces';

/**
 * The `--revision` of a hub model, as an option of the library.
 * @throws Blip2Error `INVALID_ARGUMENT` for a folder, which has no revisions.
 */
export async function revisionOf(
  source: string,
  revision: string | undefined,
): Promise<{ readonly revision?: string }> {
  if (revision === undefined) return {};
  if (await stat(source).catch(() => undefined))
    throw mustBe('--revision', 'omitted for a folder', revision, { fix: 'Pass a hub id: -m owner/name' });
  return { revision };
}
