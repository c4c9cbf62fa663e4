import { expect, test } from 'vitest';

import type { Tarball } from './tarball.ts';
import { tarballProblems } from './tarball-problems.ts';

const good = [
  'package.json',
  'LICENSE',
  'NOTICE',
  'README.md',
  'bundle/index.js',
  'dist/index.d.ts',
  'dist/graph/layer.d.ts',
  'bundle/shared/layer-a1b2c3.js',
];

function tarball(name: string, paths: readonly string[], size = 50_000): Tarball {
  return {
    package: { folder: 'libs/x', manifest: { name, version: '1.0.0' } },
    file: '/x.tgz',
    size,
    unpackedSize: size * 4,
    paths,
  };
}

test('a package consists of code, declarations, licence and notice', () => {
  expect(tarballProblems(tarball('@blip2/vision', good))).toEqual([]);
  expect(
    tarballProblems(
      tarball(
        '@blip2/cli',
        [...good, 'bin/blip2.js', 'models/blip2-opt-shapes/model.safetensors', 'models/blip2-opt-shapes/vocab.json'],
        13_000_000,
      ),
    ),
  ).toEqual([]);
});

test.each([
  'dist/a.test.d.ts',
  'dist/index.js',
  'dist/hub/server.fixture.d.ts',
  'dist/fakes/fake.d.ts',
  'bundle/fakes/fake.js',
  'dist/tsconfig.lib.tsbuildinfo',
  'bundle/index.js.map',
  'dist/index.d.ts.map',
  'src/index.ts',
  'evaluation/images/1.png',
  'fixtures/x.json',
])('%s is not packed', (path) => {
  expect(tarballProblems(tarball('@blip2/vision', [...good, path]))).toContainEqual(expect.stringContaining(path));
  expect(tarballProblems(tarball('@blip2/cli', [...good, path]))).toContainEqual(expect.stringContaining(path));
});

test('only the server contains the page, and must', () => {
  const page = ['index.html', 'favicon.ico', 'third-party-licences.txt', 'assets/index-a1B_2-c.js', 'assets/x-1.css'];
  const files = [...good, ...page.map((name) => `page/dist/${name}`)];
  expect(tarballProblems(tarball('@blip2/server', files))).toEqual([]);
  expect(tarballProblems(tarball('@blip2/vision', files))).toHaveLength(page.length);
  expect(tarballProblems(tarball('@blip2/server', good))).toHaveLength(2);
  expect(tarballProblems(tarball('@blip2/server', [...files, 'page/src/main.ts']))).toHaveLength(1);
});

test('only the command contains checkpoints, and only the testing package contains fakes', () => {
  expect(
    tarballProblems(tarball('@blip2/vision', [...good, 'models/blip2-opt-shapes/model.safetensors'])),
  ).toHaveLength(1);
  expect(tarballProblems(tarball('@blip2/testing', [...good, 'dist/fakes/fake.d.ts']))).toEqual([]);
});

test('reports missing files and excessive sizes', () => {
  expect(
    tarballProblems(
      tarball(
        '@blip2/vision',
        good.filter((path) => path !== 'NOTICE'),
      ),
    ),
  ).toEqual(['@blip2/vision: NOTICE is missing']);
  expect(tarballProblems(tarball('@blip2/vision', good, 150_001))).toEqual([
    '@blip2/vision: 150001 bytes packed, 150000 are allowed',
  ]);
  expect(tarballProblems(tarball('@blip2/cli', good, 14_000_001))).toHaveLength(1);
});
