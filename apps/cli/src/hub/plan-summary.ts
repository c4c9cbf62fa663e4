import type { DownloadPlan } from '@blip2/hub';

import { oneLine } from '../output/one-line.ts';
import { byteSize } from './byte-size.ts';
import { licenceNote } from './licence-note.ts';

/** What is about to be downloaded, before it is: two or three lines. */
export function planSummary({
  id,
  revision,
  commit,
  files,
  totalBytes,
  missingBytes,
  freeBytes,
  ...plan
}: DownloadPlan): string {
  const here = totalBytes - missingBytes;
  const missing = files.filter(({ cached }) => !cached).length;
  const name = `${id}${revision === 'main' ? '' : ` at ${revision}`} (${commit.slice(0, 12)})`;
  const sizes = `${byteSize(missingBytes)}${here > 0 ? ` of ${byteSize(totalBytes)}` : ''} in ${missing} file${missing === 1 ? '' : 's'}`;
  return `${oneLine(name)}: ${sizes}${freeBytes === undefined ? '' : `; ${byteSize(freeBytes)} are free`}\n${licenceLines(id, plan.licence)}`;
}

function licenceLines(id: string, licence: string | undefined): string {
  const note = licenceNote(id);
  return `Licence: ${licence === undefined ? 'the repository names none' : `${oneLine(licence)}, says the repository`}\n${note === undefined ? '' : `${note}.\n`}`;
}

/** Every file with its size. */
export function planTable(plan: DownloadPlan): string {
  const width = Math.max(...plan.files.map(({ path }) => path.length));
  return plan.files
    .map(
      ({ path, size, cached }) =>
        `${path.padEnd(width)}  ${byteSize(size).padStart(9)}${cached ? '  in the cache' : ''}\n`,
    )
    .join('');
}

/** The plan for programs. */
export function planJson({
  id,
  revision,
  commit,
  licence,
  folder,
  files,
  totalBytes,
  missingBytes,
}: DownloadPlan): Record<string, unknown> {
  const note = licenceNote(id);
  return {
    model: id,
    revision,
    commit,
    ...(licence !== undefined && { licence }),
    ...(note !== undefined && { licenceNote: note }),
    folder,
    totalBytes,
    missingBytes,
    files,
  };
}
