import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

import type { Workspace, WorkspacePackage } from './workspace.ts';

/** Each package carries the licence as it is, and the notice with what the package adds to it. */
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
