import { createHash } from 'node:crypto';
import { readFile, stat } from 'node:fs/promises';
import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';

import { Blip2Error, nearestName } from '@blip2/interfaces';

import type { Blip2Module } from './blip2-module.ts';

const WHERE = '--module';
const EXPORTS: Readonly<Record<keyof Blip2Module, true>> = {
  parts: true,
  logitsProcessors: true,
  stoppingCriteria: true,
  questionTemplate: true,
  chatTemplate: true,
};

/**
 * Runs the file and gives its default export. It is code of the user's, with all rights of the command.
 * @throws Blip2Error `INVALID_ARGUMENT` if there is no such file, if it fails, or if it does not export a
 * `Blip2Module`.
 */
export async function importModule(file: string): Promise<Blip2Module> {
  await expectFile(file);
  const { default: exported } = (await import(pathToFileURL(resolve(file)).href).catch((cause: unknown) => {
    throw new Blip2Error('INVALID_ARGUMENT', 'The module cannot be loaded', {
      where: WHERE,
      got: cause instanceof Error ? cause.message : String(cause),
      fix: `Try it alone: node ${file}`,
      cause,
    });
  })) as { readonly default?: unknown };
  expectModule(exported, file);
  return exported;
}

/** What a module adds to the record of a run: another file, or another content, gives other results. */
export async function moduleRecord(file: string | undefined): Promise<Readonly<Record<string, unknown>>> {
  if (file === undefined) return {};
  await expectFile(file);
  return {
    module: resolve(file),
    moduleSha256: createHash('sha256')
      .update(await readFile(file))
      .digest('hex'),
  };
}

async function expectFile(file: string): Promise<void> {
  if (
    await stat(file).then(
      (stats) => stats.isFile(),
      () => false,
    )
  )
    return;
  throw new Blip2Error('INVALID_ARGUMENT', 'There is no such module', {
    where: WHERE,
    expected: 'a file with an ES module',
    got: file,
  });
}

function expectModule(exported: unknown, file: string): asserts exported is Blip2Module {
  const fix = 'See Blip2Module of @blip2/cli';
  if (typeof exported !== 'object' || exported === null) {
    throw new Blip2Error('INVALID_ARGUMENT', 'The module has no object as its default export', {
      where: file,
      expected: `export default { ${Object.keys(EXPORTS).join(', ')} }`,
      got: typeof exported,
      fix,
    });
  }
  for (const [name, value] of Object.entries(exported)) {
    const nearest = nearestName(name, Object.keys(EXPORTS));
    if (!Object.hasOwn(EXPORTS, name))
      throw new Blip2Error('INVALID_ARGUMENT', 'A module has no such export', {
        where: file,
        expected: Object.keys(EXPORTS).join(', '),
        got: name,
        fix: nearest === undefined ? fix : `Did you mean ${nearest}?`,
      });
    if (value !== undefined && typeof value !== 'function')
      throw new Blip2Error('INVALID_ARGUMENT', 'This export of a module is a function', {
        where: `${file}: ${name}`,
        got: typeof value,
        fix,
      });
  }
}
