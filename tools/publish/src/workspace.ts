import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

import type { PackageManifest } from './package-manifest.ts';

/** A package of the workspace. */
export interface WorkspacePackage {
  /** Path relative to the root, separated by `/`: `libs/vision`. */
  readonly folder: string;
  readonly manifest: PackageManifest;
}

/** A monorepo: its root manifest and its packages. */
export interface Workspace {
  /** Absolute path. */
  readonly root: string;
  readonly manifest: PackageManifest;
  readonly published: readonly WorkspacePackage[];
  /** Packages that are not published. */
  readonly private: readonly WorkspacePackage[];
}

/** Folders of packages, as in `workspaces` of the root manifest. */
const GROUPS = ['libs', 'apps', 'tools'];

/** Reads the manifests of the monorepo in `root`. */
export function readWorkspace(root: string): Workspace {
  const packages = GROUPS.flatMap((group) => readdirSync(join(root, group)).map((name) => `${group}/${name}`))
    .filter((folder) => existsSync(join(root, folder, 'package.json')))
    .map((folder) => ({ folder, manifest: readManifest(join(root, folder)) }));
  return {
    root,
    manifest: readManifest(root),
    published: packages.filter(({ manifest }) => manifest.private !== true),
    private: packages.filter(({ manifest }) => manifest.private === true),
  };
}

function readManifest(folder: string): PackageManifest {
  return JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as PackageManifest;
}
