import { Blip2Error, type GenerationOptions } from '@blip2/interfaces';

/** New tokens written without any length option. Reference: `GenerationMixin._prepare_generated_length`. */
const DEFAULT_NEW_TOKENS = 20;

export interface Lengths {
  readonly maxNewTokens: number;
  readonly minNewTokens: number;
}

/**
 * Turns the four length options into new tokens. `promptLength` is what `maxLength` and `minLength` count before the
 * first one.
 * The last token of a row needs no position, so `maxPositions + 1` is the longest row, but a default length ends at
 * `maxPositions` as in the reference.
 * `SEQUENCE_TOO_LONG` if the prompt leaves no room, `INVALID_ARGUMENT` if `maxLength` does not.
 */
export function resolveLengths(options: GenerationOptions, promptLength: number, maxPositions: number): Lengths {
  const minNewTokens = options.minNewTokens ?? Math.max(0, (options.minLength ?? 0) - promptLength);
  const { maxNewTokens, maxLength } = options;
  const isDefault = maxNewTokens === undefined && maxLength === undefined;
  const wanted =
    maxNewTokens === undefined && maxLength !== undefined
      ? maxLength
      : promptLength + (maxNewTokens ?? DEFAULT_NEW_TOKENS);
  if (wanted <= promptLength) {
    throw new Blip2Error('INVALID_ARGUMENT', `Input length is ${promptLength}, but maxLength is set to ${wanted}`, {
      where: 'maxLength',
      argument: 'maxLength',
      fix: 'Raise maxLength or, better, set maxNewTokens',
    });
  }
  const longest = isDefault ? maxPositions : maxPositions + 1;
  if (longest <= promptLength) {
    throw new Blip2Error('SEQUENCE_TOO_LONG', 'The prompt leaves no room for new tokens', {
      expected: `fewer than ${longest} positions`,
      got: String(promptLength),
      fix: 'Shorten the prompt',
    });
  }
  return { maxNewTokens: Math.min(wanted, longest) - promptLength, minNewTokens };
}
