import { Blip2Error } from '@blip2/interfaces';

/** A name with underscores in place of capitals: `maxNewTokens` is `max_new_tokens`. */
export type Underscored<Name extends string> = Name extends `${infer First}${infer Rest}`
  ? `${First extends Lowercase<First> ? First : `_${Lowercase<First>}`}${Underscored<Rest>}`
  : '';

/** Options by their names of this package, or by those of transformers.js: `maxNewTokens` or `max_new_tokens`. */
export type EitherSpelling<Options> = Options & {
  readonly [Name in keyof Options & string as Underscored<Name>]?: Options[Name];
};

/** The same options by their names of this package. @throws Blip2Error `INVALID_ARGUMENT` if one is given by both. */
export function inCamelCase<Options extends object>(options: EitherSpelling<Options>): Options {
  const renamed = new Map<string, unknown>();
  for (const [name, value] of Object.entries(options)) {
    const camelCase = name.replace(/_([a-z0-9])/g, (_, letter: string) => letter.toUpperCase());
    if (renamed.has(camelCase))
      throw new Blip2Error('INVALID_ARGUMENT', 'An option is given in two spellings', {
        where: camelCase,
        fix: 'Give it once',
      });
    renamed.set(camelCase, value);
  }
  return Object.fromEntries(renamed) as Options;
}
