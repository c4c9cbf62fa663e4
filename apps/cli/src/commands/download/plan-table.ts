import { licenceNote } from '@blip2/config';
import type { DownloadPlan } from '@blip2/hub';
import { defined } from '@blip2/interfaces';

import { byteSize } from '../../output/display-text.ts';

/** Lists every file with its size. */
export function planTable({ files }: DownloadPlan): string {
  const width = Math.max(...files.map(({ path }) => path.length));
  return files
    .map(
      ({ path, size, cached }) =>
        `${path.padEnd(width)}  ${byteSize(size).padStart(9)}${cached ? '  in the cache' : ''}\n`,
    )
    .join('');
}

/** The plan as a JSON object. */
export function planJson(plan: DownloadPlan): Record<string, unknown> {
  const { id, revision, commit, licence, folder, files, totalBytes, missingBytes } = plan;
  return {
    model: id,
    revision,
    commit,
    ...defined({ licence, licenceNote: licenceNote(id) }),
    folder,
    totalBytes,
    missingBytes,
    files,
  };
}
