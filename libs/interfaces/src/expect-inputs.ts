import { mustBe } from './errors.ts';
import { expectKnownOptions } from './expect-known-options.ts';
import { isTensorLike } from './expect-tensor.ts';

/**
 * Checks that the inputs of a call are an object, no tensor, and that all of them are in `names`. `where` is the
 * function as callers write it.
 * @throws Blip2Error `INVALID_ARGUMENT`; `UNKNOWN_OPTION` with the most similar known name.
 */
export function expectInputs(where: string, inputs: unknown, names: readonly string[]): void {
  if (typeof inputs !== 'object' || inputs === null || Array.isArray(inputs) || isTensorLike(inputs))
    throw mustBe('inputs', `an object such as { ${names[0] ?? ''} }`, inputs, { where });
  expectKnownOptions(`inputs of ${where}`, inputs, names);
  for (const [name, value] of Object.entries(inputs))
    if (value === null) throw mustBe(name, 'a value, or absent', value, { where });
}
