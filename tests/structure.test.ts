import { existsSync, readdirSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';

import { describe, expect, test } from 'vitest';

import { root } from './documents.ts';
import { codeFiles, readTracked, sourceFiles } from './tracked-files.ts';

const MAX_LINE_WIDTH = 120;
const MAX_FILE_LINES = 250;
const MAX_FOLDER_FILES = 20;

describe('source code', () => {
  test(`has no line over ${MAX_LINE_WIDTH} columns, except URLs`, () => {
    const long = codeFiles().flatMap((file) =>
      readTracked(file)
        .split('\n')
        .flatMap((line, index) => (isTooLong(line) ? [`${file}:${index + 1}`] : [])),
    );
    expect(long).toEqual([]);
  });

  test(`has no file over ${MAX_FILE_LINES} lines`, () => {
    const linesOf = (file: string): number => readTracked(file).split('\n').length - 1;
    expect(sourceFiles().filter((file) => linesOf(file) > MAX_FILE_LINES)).toEqual([]);
  });

  test(`has no folder with more than ${MAX_FOLDER_FILES} source files in libs and apps`, () => {
    const counts = new Map<string, number>();
    for (const folder of sourceFiles()
      .filter((file) => /^(?:libs|apps)\//.test(file))
      .map(dirname))
      counts.set(folder, (counts.get(folder) ?? 0) + 1);
    expect([...counts].filter(([, count]) => count > MAX_FOLDER_FILES)).toEqual([]);
  });

  test('has no import cycle, type imports included', () => {
    expect(importCycles(importsByFile())).toEqual([]);
  });

  test('a cycle is found, and reported once', () => {
    const imports = new Map([
      ['a.ts', ['b.ts']],
      ['b.ts', ['c.ts', 'd.ts']],
      ['c.ts', ['a.ts']],
      ['d.ts', []],
    ]);
    expect(importCycles(imports)).toEqual(['a.ts b.ts c.ts']);
  });
});

describe('TypeScript projects', () => {
  const packages = ['libs', 'apps', 'tools'].flatMap((group) =>
    readdirSync(join(root, group))
      .map((name) => `./${group}/${name}`)
      .filter((folder) => existsSync(join(root, folder, 'package.json'))),
  );

  test('tsconfig.json references every package and the tests', () => {
    expect(references('tsconfig.json').toSorted()).toEqual([...packages, './tests'].toSorted());
  });

  test('tsconfig.build.json references the library project of every package', () => {
    const projects = packages.map((folder) => `${folder}/tsconfig.lib.json`);
    expect(references('tsconfig.build.json').toSorted()).toEqual(projects.toSorted());
  });
});

function isTooLong(line: string): boolean {
  return line.length > MAX_LINE_WIDTH && !line.includes('://');
}

function references(file: string): readonly string[] {
  const { references: all } = JSON.parse(readTracked(file)) as { readonly references: readonly { path: string }[] };
  return all.map(({ path }) => path);
}

/** Relative imports of each source file that resolve to a source file. */
function importsByFile(): ReadonlyMap<string, readonly string[]> {
  const files = new Set(sourceFiles());
  return new Map(
    [...files].map((file) => {
      const specifiers = readTracked(file).matchAll(/(?:from|import)\s*\(?\s*['"](\.{1,2}\/[^'"]+)['"]/g);
      const targets = [...specifiers].map(([, specifier = '']) => normalize(join(dirname(file), specifier)));
      const candidates = targets.flatMap((target) => [target, target.replace(/\.js$/, '.ts')]);
      return [file, candidates.filter((candidate) => files.has(candidate))];
    }),
  );
}

/** Strongly connected components with more than one file (Tarjan), each as a line of sorted names. */
function importCycles(imports: ReadonlyMap<string, readonly string[]>): readonly string[] {
  const index = new Map<string, number>();
  const lowest = new Map<string, number>();
  const stack: string[] = [];
  const cycles: string[] = [];
  const visit = (file: string): number => {
    const own = index.size;
    index.set(file, own);
    stack.push(file);
    let low = own;
    for (const target of imports.get(file) ?? []) {
      if (!index.has(target)) low = Math.min(low, visit(target));
      else if (stack.includes(target)) low = Math.min(low, lowest.get(target) ?? index.get(target) ?? low);
    }
    lowest.set(file, low);
    if (low === own) {
      const group = stack.splice(stack.indexOf(file));
      if (group.length > 1) cycles.push(group.toSorted().join(' '));
    }
    return low;
  };
  for (const file of imports.keys()) if (!index.has(file)) visit(file);
  return cycles.toSorted();
}
