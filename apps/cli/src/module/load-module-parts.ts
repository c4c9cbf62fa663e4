import type { Blip2Parts } from '@blip2/blip2';
import { Blip2Error, mustBe } from '@blip2/interfaces';

import type { Blip2Module, Blip2ModuleContext } from './blip2-module.ts';
import { withDisposableStack } from './disposable-stack.ts';
import { expectParts } from './expect-parts.ts';

/** The parts that a module created, disposed of together. */
export interface ModuleParts extends AsyncDisposable {
  readonly parts: Partial<Blip2Parts>;
}

/**
 * Calls `parts` of a module.
 * @throws Blip2Error `INVALID_ARGUMENT` if it does not return parts; any error of the module.
 */
export async function createModuleParts(
  module: Blip2Module,
  context: Blip2ModuleContext,
  file: string,
): Promise<ModuleParts> {
  return withDisposableStack(async ({ use, disposeAsync }) => {
    const parts = (await module.parts?.(context)) ?? {};
    Object.values(parts).filter(isDisposable).forEach(use);
    expectParts(parts, file);
    return { parts, [Symbol.asyncDispose]: disposeAsync };
  });
}

/**
 * Loads the parts of a module for a command that generates no text and uses nothing else of the module.
 * @throws Blip2Error `INVALID_ARGUMENT` if the module has no parts, or others than `accepted`.
 */
export async function loadModuleParts(
  module: Blip2Module,
  file: string,
  accepted: readonly (keyof Blip2Parts)[],
  createContext: () => Promise<Blip2ModuleContext>,
): Promise<ModuleParts> {
  const expected = accepted.join(', ');
  if (!module.parts)
    throw new Blip2Error('INVALID_ARGUMENT', 'This command only uses the parts of a module, and this one has none', {
      where: file,
      expected: `parts() with ${expected}`,
      got: Object.keys(module).join(', '),
    });
  const created = await createModuleParts(module, await createContext(), file);
  const other = Object.entries(created.parts).find(
    ([name, part]) => part !== undefined && !accepted.some((each) => each === name),
  )?.[0];
  if (other === undefined) return created;
  await created[Symbol.asyncDispose]();
  throw mustBe('Every part of the module', `one of ${expected}`, other, { where: `${file}: parts()` });
}

function isDisposable(part: unknown): part is AsyncDisposable {
  return (
    typeof part === 'object' &&
    part !== null &&
    Symbol.asyncDispose in part &&
    typeof part[Symbol.asyncDispose] === 'function'
  );
}
