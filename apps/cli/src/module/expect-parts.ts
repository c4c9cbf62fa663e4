import type { Blip2Parts } from '@blip2/blip2';
import { Blip2Error, mustBe } from '@blip2/interfaces';

/** Required members of each part, with their types. */
const MEMBERS: Readonly<Record<keyof Blip2Parts, Readonly<Record<string, 'number' | 'string' | 'function'>>>> = {
  vision: { imageSize: 'number', hiddenSize: 'number', encode: 'function' },
  qformer: { hiddenSize: 'number', encoderHiddenSize: 'number', query: 'function' },
  projection: { inFeatures: 'number', outFeatures: 'number', project: 'function' },
  language: {
    architecture: 'string',
    embeddingSize: 'number',
    vocabularySize: 'number',
    embed: 'function',
    start: 'function',
  },
};

/**
 * Checks the return value of `parts` of a module. Widths are compared later, when the model is built.
 * @throws Blip2Error `INVALID_ARGUMENT` if it does not consist of parts.
 */
export function expectParts(parts: unknown, file: string): asserts parts is Partial<Blip2Parts> {
  if (typeof parts !== 'object' || parts === null)
    throw mustBe('The result of parts()', `an object with ${Object.keys(MEMBERS).join(', ')}`, parts, { where: file });
  for (const [name, part] of Object.entries(parts)) {
    if (!isPartName(name))
      throw mustBe('A part name', `one of ${Object.keys(MEMBERS).join(', ')}`, name, { where: `${file}: parts()` });
    if (part !== undefined) expectMembers(part, MEMBERS[name], `${file}: parts().${name}`);
  }
}

function expectMembers(part: unknown, members: Readonly<Record<string, string>>, where: string): void {
  const wrong = Object.entries(members).find(([member, type]) => typeof memberOf(part, member) !== type);
  if (wrong)
    throw new Blip2Error('INVALID_ARGUMENT', 'A part of the module lacks a member', {
      where,
      expected: `${wrong[0]}: ${wrong[1]}`,
      got: typeof memberOf(part, wrong[0]),
      fix: 'See the interfaces in @blip2/interfaces',
    });
  if (typeof memberOf(part, Symbol.asyncDispose) !== 'function') {
    throw new Blip2Error('INVALID_ARGUMENT', 'A part of the module cannot be disposed of', {
      where,
      expected: 'async [Symbol.asyncDispose]() {}',
    });
  }
}

function memberOf(part: unknown, member: string | symbol): unknown {
  return typeof part === 'object' && part !== null ? Reflect.get(part, member) : undefined;
}

function isPartName(name: string): name is keyof Blip2Parts {
  return Object.hasOwn(MEMBERS, name);
}
