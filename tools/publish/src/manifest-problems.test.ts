import { join } from 'node:path';

import { expect, test } from 'vitest';

import { manifestProblems, privateManifestProblems } from './manifest-problems.ts';
import type { PackageManifest } from './package-manifest.ts';
import { readWorkspace, type WorkspacePackage } from './workspace.ts';

const workspace = readWorkspace(join(import.meta.dirname, '../../..'));
const find = (name: string): WorkspacePackage => {
  const found = [...workspace.published, ...workspace.private].find(({ manifest }) => manifest.name === name);
  expect(found).toBeDefined();
  return found as WorkspacePackage;
};
const vision = find('@blip2/vision');
const problemsOf = (change: Partial<PackageManifest>): string[] =>
  manifestProblems(workspace, { ...vision, manifest: { ...vision.manifest, ...change } });

test.each<[string, Partial<PackageManifest>, string]>([
  [
    'a range between the packages',
    { dependencies: { '@blip2/interfaces': '^0.1.0' } },
    'between the packages versions are exact',
  ],
  [
    'a private package as a dependency',
    { dependencies: { '@blip2/parity': vision.manifest.version } },
    'which is not published',
  ],
  ['another version', { version: '9.9.9' }, 'all packages have one'],
  [
    'a condition that leads to sources',
    {
      exports: { '.': { '@blip2/source': './src/index.ts', types: './dist/index.d.ts', default: './bundle/index.js' } },
    },
    'has the conditions @blip2/source, types, default',
  ],
  [
    'types after the code',
    { exports: { '.': { default: './bundle/index.js', types: './dist/index.d.ts' } } },
    'in this order',
  ],
  [
    'exports outside the bundle',
    { types: './src/index.d.ts', exports: { '.': { types: './src/index.d.ts', default: './src/index.js' } } },
    'expected ./dist/X.d.ts and ./bundle/X.js',
  ],
  [
    'types of another module',
    { exports: { '.': { types: './dist/index.d.ts', default: './bundle/other.js' } } },
    'expected ./dist/X.d.ts and ./bundle/X.js',
  ],
  ['no entry', { exports: {} }, 'exports has no entry'],
  ['files without the notice', { files: ['bundle', 'dist/**/*.d.ts'] }, 'files has no "NOTICE"'],
  ['no keywords', { keywords: [] }, 'keywords are missing'],
  ['another author', { author: 'someone else' }, 'author is someone else'],
  ['another homepage', { homepage: 'https://example.com' }, 'homepage is "https://example.com"'],
  ['another address for bugs', { bugs: 'https://example.com' }, 'bugs is "https://example.com"'],
  ['another Node', { engines: { node: '>=18' } }, 'engines.node is >=18'],
  [
    'a repository other than that of the root',
    { repository: { url: 'git+https://example.com/other.git' } },
    'repository.url is',
  ],
  [
    'a script that runs on installation',
    { scripts: { postinstall: 'node x.js' } },
    'would run when the package is installed',
  ],
])('%s is a problem', (_, change, expected) => {
  expect(problemsOf(change)).toEqual([expect.stringContaining(expected)]);
});

test('a repository in the root manifest is expected in every package, with its folder', () => {
  const repository = { type: 'git', url: 'git+https://example.com/blip2.git' };
  const moved = { ...workspace, manifest: { ...workspace.manifest, repository } };
  const own = (directory: string): WorkspacePackage => ({
    ...vision,
    manifest: { ...vision.manifest, repository: { ...repository, directory } },
  });
  expect(manifestProblems(moved, own('libs/vision'))).toEqual([]);
  expect(manifestProblems(moved, own('libs/other'))).toEqual([
    '@blip2/vision: repository.directory is not libs/vision',
  ]);
});

test('an exact version in a private package is a problem: a release would break the lock file', () => {
  const parity = find('@blip2/parity');
  const changed = { ...parity, manifest: { ...parity.manifest, dependencies: { '@blip2/vision': '0.1.0' } } };
  expect(privateManifestProblems(workspace, changed)).toEqual([
    expect.stringContaining('depends on @blip2/vision by "*"'),
  ]);
});

test('a private package needs keywords and the author of the root', () => {
  const parity = find('@blip2/parity');
  const changed = { ...parity, manifest: { ...parity.manifest, keywords: [], author: 'someone else' } };
  expect(privateManifestProblems(workspace, changed)).toEqual([
    '@blip2/parity: keywords are missing',
    expect.stringContaining('author is someone else'),
  ]);
});
