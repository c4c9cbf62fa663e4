import type { Blip2Parts } from '@blip2/blip2';
import { Blip2Error } from '@blip2/interfaces';

/** Members without which a part cannot be put in its place. */
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
 * @throws Blip2Error `INVALID_ARGUMENT` if what `parts` of a module returned are not parts. Widths are compared when
 * they are put together.
 */
export function expectParts(parts: unknown, file: string): asserts parts is Partial<Blip2Parts> {
  if (typeof parts !== 'object' || parts === null)
    throw new Blip2Error('INVALID_ARGUMENT', 'parts() of a module gives an object', {
      where: file,
      expected: Object.keys(MEMBERS).join(', '),
      got: String(parts),
    });
  for (const [name, part] of Object.entries(parts)) {
    if (!isPartName(name))
      throw new Blip2Error('INVALID_ARGUMENT', 'There is no such part', {
        where: `${file}: parts()`,
        expected: Object.keys(MEMBERS).join(', '),
        got: name,
      });
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
      fix: 'See the seams of @blip2/interfaces',
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
