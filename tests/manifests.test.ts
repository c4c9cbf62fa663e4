import { join } from 'node:path';

import { legalProblems, manifestProblems, privateManifestProblems, readWorkspace } from '@blip2/publish';
import { expect, test } from 'vitest';

const workspace = readWorkspace(join(import.meta.dirname, '..'));

test('sixteen packages are published, the tools are not', () => {
  expect(workspace.published.map(({ manifest }) => manifest.name)).toHaveLength(16);
  expect(workspace.private.map(({ manifest }) => manifest.name).sort()).toEqual(['@blip2/parity', '@blip2/publish']);
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

test.each(workspace.private)('$manifest.name takes the packages that lie beside it', (own) => {
  expect(privateManifestProblems(workspace, own)).toEqual([]);
});
