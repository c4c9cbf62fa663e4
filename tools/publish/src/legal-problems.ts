import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

import type { Workspace, WorkspacePackage } from './workspace.ts';

/** Checks that a package contains the unchanged licence, and the notice with any additions of its own. */
export function legalProblems({ root }: Workspace, { folder, manifest }: WorkspacePackage): string[] {
  const [licence, notice] = [read(join(root, folder, 'LICENSE')), read(join(root, folder, 'NOTICE'))];
  const problems: string[] = [];
  if (licence !== read(join(root, 'LICENSE'))) problems.push(`${manifest.name}: LICENSE is not that of the repository`);
  if (!notice.startsWith(read(join(root, 'NOTICE'))) || notice === '')
    problems.push(`${manifest.name}: NOTICE does not begin with that of the repository`);
  return problems;
}

function read(file: string): string {
  return existsSync(file) ? readFileSync(file, 'utf8') : '';
}
