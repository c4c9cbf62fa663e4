import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';

import { legalProblems, manifestProblems, privateManifestProblems, readWorkspace } from '@blip2/publish';
import { expect, test } from 'vitest';

const root = join(import.meta.dirname, '..');
const workspace = readWorkspace(root);

/** Folders of the packages in a group, relative to the root. */
function packageFolders(group: string): string[] {
  return readdirSync(join(root, group))
    .map((name) => `${group}/${name}`)
    .filter((folder) => existsSync(join(root, folder, 'package.json')));
}

test('the packages of libs and apps are published, the tools are not', () => {
  const published = [...packageFolders('libs'), ...packageFolders('apps')];
  expect(workspace.published.map(({ folder }) => folder)).toEqual(published);
  expect(published).toHaveLength(24);
  expect(workspace.private.map(({ folder }) => folder)).toEqual(packageFolders('tools'));
});

test.each(workspace.published)(
  '$manifest.name can be published: one exact version, exports and files that npm users can resolve',
  (own) => {
    expect(manifestProblems(workspace, own)).toEqual([]);
  },
);

test.each(workspace.published)('$manifest.name carries the licence and the notice', (own) => {
  expect(legalProblems(workspace, own)).toEqual([]);
});

test.each(workspace.private)('$manifest.name depends on the packages of the workspace by *', (own) => {
  expect(privateManifestProblems(workspace, own)).toEqual([]);
});
