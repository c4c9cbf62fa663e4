import { readdirSync } from 'node:fs';
import { join } from 'node:path';

import { describe, expect, test } from 'vitest';

import { root } from './documents.ts';
import { readTracked, sourceFiles } from './tracked-files.ts';

const DOCUMENT = 'docs/architecture.md';
/** Layers above the numbered ones, and what they may import: `dev` only layer 0, `tool` everything. */
const UNNUMBERED: Readonly<Record<string, { readonly rank: number; readonly belowRank: number }>> = {
  dev: { rank: 0.5, belowRank: 0.5 },
  tool: { rank: Infinity, belowRank: Infinity },
};

interface Package {
  readonly name: string;
  /** `0` to `8`, `dev` or `tool`. */
  readonly layer: string;
  /** Names of the packages that its sources import. */
  readonly imports: ReadonlySet<string>;
}

const packages = ['libs', 'apps', 'tools'].flatMap((group) =>
  readdirSync(join(root, group)).flatMap((name) => readPackage(`${group}/${name}`)),
);
const byName = new Map(packages.map((each) => [each.name, each]));

function readPackage(folder: string): Package[] {
  const files = sourceFiles().filter((file) => file.startsWith(`${folder}/src/`) && !/\.fixture\.ts$/.test(file));
  if (files.length === 0) return [];
  const { name, nx } = JSON.parse(readTracked(`${folder}/package.json`)) as {
    readonly name: string;
    readonly nx: { readonly tags: readonly string[] };
  };
  const layer = nx.tags.find((tag) => tag.startsWith('layer:'))?.slice('layer:'.length) ?? '';
  const specifiers = files.flatMap((file) => [
    ...readTracked(file).matchAll(/^(?:import|export|\}).*? from '(@blip2\/[\w-]+)|import\('(@blip2\/[\w-]+)/gm),
  ]);
  const imports = new Set(specifiers.map(([, first, second]) => first ?? second ?? '').filter((each) => each !== name));
  return [{ name, layer, imports }];
}

function rankOf(layer: string): number {
  return UNNUMBERED[layer]?.rank ?? Number(layer);
}

describe('docs/architecture.md', () => {
  const document = readTracked(DOCUMENT);

  test('the table lists every package with its layer', () => {
    const rows = [...document.matchAll(/^\| (\w+) \| (.+?) \|/gm)].flatMap(([, layer = '', cell = '']) =>
      [...cell.matchAll(/\[`(@blip2\/[\w-]+)`\]/g)].map(([, name = '']) => ({ name, layer })),
    );
    const expected = packages.map(({ name, layer }) => ({ name, layer }));
    expect(rows.toSorted(byNameOrder)).toEqual(expected.toSorted(byNameOrder));
  });

  test('every package imports only packages of lower layers', () => {
    const wrong = packages.flatMap(({ name, layer, imports }) => {
      const limit = UNNUMBERED[layer]?.belowRank ?? rankOf(layer);
      return [...imports]
        .filter((target) => !(rankOf(byName.get(target)?.layer ?? '') < limit))
        .map((target) => `${name} -> ${target}`);
    });
    expect(wrong).toEqual([]);
  });

  test('the diagram has an arrow for every import that no longer path implies', () => {
    const [, diagram = ''] = /```mermaid\n(.*?)^```$/ms.exec(document) ?? [];
    const arrows = [...diagram.matchAll(/^ +([\w-]+) --> ([\w-]+)$/gm)].map(([, from, to]) => `${from} --> ${to}`);
    const shown = packages.filter(({ layer }) => UNNUMBERED[layer] === undefined);
    const expected = shown.flatMap((each) => directImports(each).map((to) => `${short(each.name)} --> ${short(to)}`));
    expect(arrows.toSorted()).toEqual(expected.toSorted());
  });
});

function byNameOrder(a: { readonly name: string }, b: { readonly name: string }): number {
  return a.name.localeCompare(b.name);
}

function short(name: string): string {
  return name.replace('@blip2/', '');
}

/** Imports of a package that none of its other imports already reaches: the transitive reduction. */
function directImports({ imports }: Package): readonly string[] {
  return [...imports].filter((target) => ![...imports].some((other) => other !== target && reaches(other, target)));
}

function reaches(from: string, to: string, seen: ReadonlySet<string> = new Set()): boolean {
  const next = [...(byName.get(from)?.imports ?? [])].filter((name) => !seen.has(name));
  return next.some((name) => name === to || reaches(name, to, new Set([...seen, from])));
}
