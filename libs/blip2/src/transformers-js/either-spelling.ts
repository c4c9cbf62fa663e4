import { Blip2Error, mustBe } from '@blip2/interfaces';

/** A camelCase name in snake_case: `maxNewTokens` becomes `max_new_tokens`. */
export type Underscored<Name extends string> = Name extends `${infer First}${infer Rest}`
  ? `${First extends Lowercase<First> ? First : `_${Lowercase<First>}`}${Underscored<Rest>}`
  : '';

/** Options in camelCase, as in this package, or in snake_case, as in transformers.js. */
export type EitherSpelling<Options> = Options & {
  readonly [Name in keyof Options & string as Underscored<Name>]?: Options[Name];
};

/**
 * The options in camelCase.
 * @throws Blip2Error `INVALID_ARGUMENT` if one is given in both spellings.
 */
export function inCamelCase<Options extends object>(options: EitherSpelling<Options>): Options {
  if (typeof options !== 'object' || options === null) throw mustBe('options', 'an object', options);
  const renamed = new Map<string, unknown>();
  for (const [name, value] of Object.entries(options)) {
    const camelCase = name.replace(/_([a-z0-9])/g, (_, letter: string) => letter.toUpperCase());
    if (renamed.has(camelCase))
      throw new Blip2Error('INVALID_ARGUMENT', `${camelCase} must be given in one spelling, got both`, {
        argument: camelCase,
      });
    renamed.set(camelCase, value);
  }
  return Object.fromEntries(renamed) as Options;
}
