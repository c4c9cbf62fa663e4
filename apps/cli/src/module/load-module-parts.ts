import type { Blip2Parts } from '@blip2/blip2';
import { Blip2Error } from '@blip2/interfaces';

import type { Blip2Module, Blip2ModuleContext } from './blip2-module.ts';
import { assemble } from './disposable-stack.ts';
import { expectParts } from './expect-parts.ts';
import { importModule } from './import-module.ts';

/** Parts that a module made; they end with it. */
export interface GivenParts extends AsyncDisposable {
  readonly parts: Partial<Blip2Parts>;
}

/** Asks a module for its parts. @throws Blip2Error `INVALID_ARGUMENT` if they are none; whatever the module throws. */
export async function givenParts(module: Blip2Module, context: Blip2ModuleContext, file: string): Promise<GivenParts> {
  return assemble(async ({ keep, dispose }) => {
    const parts = (await module.parts?.(context)) ?? {};
    Object.values(parts).filter(isDisposable).forEach(keep);
    expectParts(parts, file);
    return { parts, [Symbol.asyncDispose]: dispose };
  });
}

/**
 * The parts of a module for a command that writes no text, and takes nothing else of it.
 * @throws Blip2Error as `importModule`; `INVALID_ARGUMENT` if the module has others than those in `taken`, or none.
 */
export async function givenSeeingParts(
  file: string,
  taken: readonly (keyof Blip2Parts)[],
  contextOf: () => Promise<Blip2ModuleContext>,
): Promise<GivenParts> {
  const module = await importModule(file);
  const expected = taken.join(', ');
  if (!module.parts)
    throw new Blip2Error('INVALID_ARGUMENT', 'The command takes nothing but parts of a module, and this one has none', {
      where: file,
      expected: `parts() with ${expected}`,
      got: Object.keys(module).join(', '),
    });
  const given = await givenParts(module, await contextOf(), file);
  const other = Object.entries(given.parts).find(
    ([name, part]) => part !== undefined && !taken.some((each) => each === name),
  )?.[0];
  if (other === undefined) return given;
  await given[Symbol.asyncDispose]();
  throw new Blip2Error('INVALID_ARGUMENT', 'There is no place for this part of the module', {
    where: `${file}: parts()`,
    expected,
    got: other,
  });
}

function isDisposable(part: unknown): part is AsyncDisposable {
  return (
    typeof part === 'object' &&
    part !== null &&
    Symbol.asyncDispose in part &&
    typeof part[Symbol.asyncDispose] === 'function'
  );
}
