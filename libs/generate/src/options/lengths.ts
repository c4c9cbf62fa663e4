import { Blip2Error, type GenerationOptions } from '@blip2/interfaces';

/** New tokens if no length option is set. Source: HF `GenerationMixin._prepare_generated_length`. */
const DEFAULT_NEW_TOKENS = 20;

/** Limits of a sequence in new tokens. */
export interface Lengths {
  readonly maxNewTokens: number;
  readonly minNewTokens: number;
}

/**
 * Converts the four length options to numbers of new tokens. `promptLength`: positions that `maxLength` and `minLength`
 * count before the first new token. The last token of a sequence is never fed back, so a sequence may have
 * `maxPositions + 1` tokens; the default length stops at `maxPositions`, as in HF. `defaultNewTokens` replaces the
 * default of HF; it is lowered to the room that the prompt leaves.
 * @throws Blip2Error `SEQUENCE_TOO_LONG` if the prompt leaves no room for a token, or for all tokens that
 * `maxNewTokens`
 * or `maxLength` ask for; `INVALID_ARGUMENT` if `maxLength` does not exceed the prompt length.
 */
export function resolveLengths(
  options: GenerationOptions,
  promptLength: number,
  maxPositions: number,
  defaultNewTokens?: number,
): Lengths {
  const minNewTokens = options.minNewTokens ?? Math.max(0, (options.minLength ?? 0) - promptLength);
  const { maxNewTokens, maxLength } = options;
  const isDefault = maxNewTokens === undefined && maxLength === undefined;
  const requested =
    maxNewTokens === undefined && maxLength !== undefined
      ? maxLength
      : promptLength + (maxNewTokens ?? defaultNewTokens ?? DEFAULT_NEW_TOKENS);
  if (requested <= promptLength) {
    throw new Blip2Error('INVALID_ARGUMENT', {
      argument: 'maxLength',
      expected: `greater than the prompt length of ${promptLength}`,
      got: String(requested),
      fix: 'Raise maxLength or, better, set maxNewTokens',
    });
  }
  const longest = isDefault && defaultNewTokens === undefined ? maxPositions : maxPositions + 1;
  if (longest <= promptLength) {
    throw new Blip2Error('SEQUENCE_TOO_LONG', 'The prompt leaves no room for new tokens', {
      expected: `fewer than ${longest} positions`,
      got: String(promptLength),
      fix: 'Shorten the prompt',
    });
  }
  if (!isDefault && requested > longest) {
    const argument = maxNewTokens === undefined ? 'maxLength' : 'maxNewTokens';
    const largest = maxNewTokens === undefined ? longest : longest - promptLength;
    throw new Blip2Error('SEQUENCE_TOO_LONG', 'Prompt and new tokens exceed the positions of the language model', {
      argument,
      expected: `${argument} of at most ${largest} after ${promptLength} positions of the prompt`,
      got: String(maxNewTokens ?? maxLength),
      fix: `Lower ${argument}, or shorten the prompt`,
    });
  }
  return { maxNewTokens: Math.min(requested, longest) - promptLength, minNewTokens };
}
