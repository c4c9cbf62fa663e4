export { legalProblems } from './legal-problems.ts';
export { licencesCommand } from './licences-command.ts';
export { manifestProblems, privateManifestProblems } from './manifest-problems.ts';
export { packCheck } from './pack-check.ts';
export type { PackageManifest } from './package-manifest.ts';
export { stripComments } from './strip-comments.ts';
export type { Tarball } from './tarball.ts';
export { tarballProblems } from './tarball-problems.ts';
export { readWorkspace, type Workspace, type WorkspacePackage } from './workspace.ts';
