import { createHash } from 'node:crypto';
import { readFile, stat } from 'node:fs/promises';
import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';

import { Blip2Error, mustBe, nearestName } from '@blip2/interfaces';

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
 * Imports a module and returns its default export; undefined for one that only registers model families. The module's
 * code has all rights of the command.
 * @throws Blip2Error `INVALID_ARGUMENT` if the file does not exist, cannot be loaded, or does not export a
 * `Blip2Module`.
 */
export async function importModule(file: string): Promise<Blip2Module | undefined> {
  await expectFile(file);
  const { default: exported } = (await import(pathToFileURL(resolve(file)).href).catch((cause: unknown) => {
    throw new Blip2Error('INVALID_ARGUMENT', 'The module cannot be loaded', {
      where: WHERE,
      got: cause instanceof Error ? cause.message : String(cause),
      fix: `Run it alone to debug it: node ${file}`,
      cause,
    });
  })) as { readonly default?: unknown };
  if (exported === undefined && (await registersFamilies())) return undefined;
  expectModule(exported, file);
  return exported;
}

/** Whether a module has registered families. The runtime is loaded only if a module was. */
async function registersFamilies(): Promise<boolean> {
  const { partModules } = await import('@blip2/runtime');
  return partModules().length > 0;
}

/**
 * Imports a module for a command that uses nothing of it but the families that it registers.
 * @throws Blip2Error as `importModule`; `INVALID_ARGUMENT` if the module has a default export.
 */
export async function importFamilies(file: string | undefined): Promise<void> {
  if (file === undefined || (await importModule(file)) === undefined) return;
  throw new Blip2Error('INVALID_ARGUMENT', 'This command only uses the model families of a module', {
    where: file,
    expected: 'no default export',
    got: 'a Blip2Module',
    fix: 'Register the families in a module of their own',
  });
}

/** The fields of a run's record that identify a module: its path and its checksum. Empty without a module. */
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
  throw mustBe(WHERE, 'an existing file with an ES module', file);
}

function expectModule(exported: unknown, file: string): asserts exported is Blip2Module {
  const fix = 'See Blip2Module of @blip2/cli, or register a model family';
  if (typeof exported !== 'object' || exported === null) {
    const expected = `an object with ${Object.keys(EXPORTS).join(', ')}`;
    throw mustBe('The default export of the module', expected, exported, { where: file, fix });
  }
  for (const [name, value] of Object.entries(exported)) {
    const nearest = nearestName(name, Object.keys(EXPORTS));
    if (!Object.hasOwn(EXPORTS, name))
      throw mustBe('A member of the module', `one of ${Object.keys(EXPORTS).join(', ')}`, name, {
        where: file,
        fix: nearest === undefined ? fix : `Did you mean ${nearest}?`,
      });
    if (value !== undefined && typeof value !== 'function')
      throw mustBe(name, 'a function', value, { where: file, fix });
  }
}
