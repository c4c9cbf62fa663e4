import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';

import { type EmptyProject, installIntoEmptyProject } from './empty-project.ts';
import { legalProblems } from './legal-problems.ts';
import { lintTarball } from './lint-tarball.ts';
import { manifestProblems, privateManifestProblems } from './manifest-problems.ts';
import { packPackages } from './pack-packages.ts';
import type { Tarball } from './tarball.ts';
import { tarballProblems } from './tarball-problems.ts';
import { readWorkspace, type Workspace } from './workspace.ts';

type Print = (line: string) => void;
type Step = (name: string, run: () => Promise<readonly string[]> | readonly string[]) => Promise<void>;

/** Maximum number of lines that a report shows per step. */
const LONGEST_REPORT = 40;

/**
 * Packs every package, checks the tarballs, and uses them in an empty project. Prints one line per step and returns the
 * exit code. `--keep` keeps the temporary folder and prints its path.
 */
export async function packCheck(argv: readonly string[], print: Print): Promise<number> {
  const workspace = readWorkspace(resolve(import.meta.dirname, '../../..'));
  const folder = mkdtempSync(join(tmpdir(), 'blip2-pack-'));
  let failed = 0;
  const step: Step = async (name, run) => {
    const start = performance.now();
    const problems = await run();
    const seconds = ((performance.now() - start) / 1000).toFixed(1);
    if (problems.length > 0) failed++;
    print(`${problems.length === 0 ? 'ok' : 'FAILED'}  ${name}  ${seconds} s`);
    for (const problem of problems.slice(0, LONGEST_REPORT)) print(`    ${problem.replaceAll('\n', '\n    ')}`);
  };
  try {
    await checkEverything(workspace, folder, step, print);
  } finally {
    if (argv.includes('--keep')) print(folder);
    else rmSync(folder, { recursive: true, force: true });
  }
  print(failed === 0 ? 'every package can be published' : `${failed} steps failed`);
  return failed === 0 ? 0 : 1;
}

async function checkEverything(workspace: Workspace, folder: string, step: Step, print: Print): Promise<void> {
  await step('manifests', () => [
    ...workspace.published.flatMap((own) => [...manifestProblems(workspace, own), ...legalProblems(workspace, own)]),
    ...workspace.private.flatMap((own) => privateManifestProblems(workspace, own)),
  ]);
  const tarballs: Tarball[] = [];
  mkdirSync(join(folder, 'tarballs'));
  await step('npm pack', async () => {
    const packed = await packPackages(workspace, join(folder, 'tarballs'));
    tarballs.push(...packed.tarballs);
    return [...packed.problems, ...packed.tarballs.flatMap(tarballProblems)];
  });
  for (const {
    package: { manifest },
    size,
    unpackedSize,
    paths,
  } of tarballs)
    print(
      `    ${manifest.name}  ${kilobytes(size)} packed  ${kilobytes(unpackedSize)} unpacked  ${paths.length} files`,
    );
  await step('publint, types', async () =>
    (await Promise.all(tarballs.map(({ package: { manifest }, file }) => lintTarball(manifest.name, file)))).flat(),
  );
  await useInEmptyProject(workspace, tarballs, join(folder, 'empty project'), step);
}

async function useInEmptyProject(
  workspace: Workspace,
  tarballs: readonly Tarball[],
  folder: string,
  step: Step,
): Promise<void> {
  const projects: EmptyProject[] = [];
  await step('npm install into an empty project', async () => {
    const installed = await installIntoEmptyProject(workspace, tarballs, folder);
    if (Array.isArray(installed)) return installed;
    projects.push(installed);
    return [];
  });
  const [project] = projects;
  if (project === undefined) return;
  await step('import of every entry', () => project.importAll());
  await step('types, nodenext', () => project.checkTypes('nodenext'));
  await step('types, bundler', () => project.checkTypes('bundler'));
  await step('blip2 caption', () => project.runCommand());
  for (const name of programs(join(workspace.root, 'examples')))
    await step(`examples/${name}`, () => project.runExample(name));
}

/** Examples that are programs; modules that another example imports run with it. */
function programs(folder: string): string[] {
  return readdirSync(folder).filter(
    (name) =>
      name.endsWith('.mjs') &&
      /: node examples\//.test(readFileSync(join(folder, name), 'utf8').split('\n', 1)[0] ?? ''),
  );
}

function kilobytes(bytes: number): string {
  return `${Math.ceil(bytes / 1000)} kB`;
}
