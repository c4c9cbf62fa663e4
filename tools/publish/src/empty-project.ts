import { cpSync, mkdirSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';

import { runNpm, userEnvironment } from './npm.ts';
import { runProgram } from './run-program.ts';
import type { Tarball } from './tarball.ts';
import type { Workspace } from './workspace.ts';

/** An empty project with the tarballs installed. Each method returns one line per problem. */
export interface EmptyProject {
  importAll(): Promise<string[]>;
  /** `resolution`: a value of TypeScript's `moduleResolution`. */
  checkTypes(resolution: 'nodenext' | 'bundler'): Promise<string[]>;
  runCommand(): Promise<string[]>;
  runExample(name: string): Promise<string[]>;
}

/** Caption of `examples/left-of.png` by the demo checkpoint. */
const CAPTION = 'a blue triangle to the left of a small yellow circle';

/**
 * Installs the tarballs into `folder`, which must be empty. Third-party packages come from npm's cache or registry.
 */
export async function installIntoEmptyProject(
  workspace: Workspace,
  tarballs: readonly Tarball[],
  folder: string,
): Promise<EmptyProject | string[]> {
  mkdirSync(folder);
  writeFileSync(join(folder, 'package.json'), JSON.stringify({ name: 'empty-project', private: true, type: 'module' }));
  const installed = await runNpm(
    [
      'install',
      '--prefer-offline',
      '--no-audit',
      '--no-fund',
      '--no-progress',
      ...tarballs.map(({ file }) => file),
      nodeTypes(workspace),
    ],
    folder,
  );
  if (!installed.succeeded) return [`npm install failed:\n${installed.tail}`];
  cpSync(join(workspace.root, 'examples'), join(folder, 'examples'), { recursive: true });
  cpSync(join(workspace.root, 'tools/publish/consumer'), folder, { recursive: true });
  const run = async (what: string, argv: readonly string[], expected: string): Promise<string[]> => {
    const { succeeded, stdout, tail } = await runProgram(process.execPath, argv, folder, userEnvironment());
    return succeeded && stdout.includes(expected) ? [] : [`${what}:\n${tail}`];
  };
  return {
    importAll: () => run('import', ['--input-type=module', '--eval', importProgram(tarballs)], 'imported'),
    checkTypes: (resolution) =>
      run(
        `types (${resolution})`,
        [join(workspace.root, 'node_modules/typescript/bin/tsc'), '-p', `tsconfig.${resolution}.json`],
        '',
      ),
    runCommand: () =>
      run(
        'blip2 caption',
        [join('node_modules/@blip2/cli', commandFile(tarballs)), 'caption', 'examples/left-of.png'],
        CAPTION,
      ),
    runExample: (name) =>
      run(basename(name), [join('examples', name), join('node_modules/@blip2/cli/models', modelOf(name))], ''),
  };
}

/** A program that imports every entry point and checks that it exports something. */
function importProgram(tarballs: readonly Tarball[]): string {
  const entries = tarballs.flatMap(({ package: { manifest } }) =>
    Object.entries(manifest.exports ?? {})
      .filter(([, target]) => typeof target !== 'string')
      .map(([subpath]) => `${manifest.name}${subpath.slice(1)}`),
  );
  return `
for (const entry of ${JSON.stringify(entries)}) {
  if (Object.keys(await import(entry)).length > 0) continue;
  console.error(entry, 'exports nothing');
  process.exit(1);
}
console.log('imported');`;
}

/** The type declarations of Node. */
function nodeTypes({ manifest }: Workspace): string {
  return `@types/node@${manifest.devDependencies?.['@types/node'] ?? 'latest'}`;
}

function commandFile(tarballs: readonly Tarball[]): string {
  return (
    tarballs.map(({ package: { manifest } }) => manifest.bin?.['blip2']).find((file) => file !== undefined) ??
    'bin/blip2.js'
  );
}

/** The bundled checkpoint that an example takes as its first argument. */
function modelOf(example: string): string {
  return example === 'match.mjs' ? 'blip2-itm-shapes' : 'blip2-opt-shapes';
}
