import { licenceNote } from '@blip2/config';
import type { DownloadPlan } from '@blip2/hub';

import { byteSize, oneLine } from '../output/display-text.ts';

/** Summary of a download before it starts: model, sizes and licences, in two or three lines. */
export function planSummary(plan: DownloadPlan): string {
  const { id, revision, commit, files, totalBytes, missingBytes, freeBytes } = plan;
  const missing = files.filter(({ cached }) => !cached).length;
  const name = `${id}${revision === 'main' ? '' : ` at ${revision}`} (${commit.slice(0, 12)})`;
  const bytes = `${byteSize(missingBytes)}${totalBytes > missingBytes ? ` of ${byteSize(totalBytes)}` : ''}`;
  const sizes = `${bytes} in ${missing} file${missing === 1 ? '' : 's'}`;
  const free = freeBytes === undefined ? '' : `; ${byteSize(freeBytes)} free`;
  return `${oneLine(name)}: ${sizes}${free}\n${licenceLines(id, plan.licence)}`;
}

function licenceLines(id: string, licence: string | undefined): string {
  const note = licenceNote(id);
  const declared = licence === undefined ? 'not declared by the repository' : oneLine(licence);
  return `Licence: ${declared}\n${note === undefined ? '' : `${note}.\n`}`;
}
