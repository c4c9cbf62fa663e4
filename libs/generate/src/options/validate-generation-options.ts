import {
  Blip2Error,
  type GenerationOption,
  type GenerationOptionKind,
  type GenerationOptions,
  generationOptions,
  mustBe,
  nearestName,
} from '@blip2/interfaces';

type Check = (value: unknown, option: GenerationOption) => boolean;

const isNumber: Check = (value, { min = -Infinity, above = -Infinity, max = Infinity }) =>
  typeof value === 'number' && Number.isFinite(value) && value >= min && value > above && value <= max;
const isInteger: Check = (value, option) => Number.isSafeInteger(value) && isNumber(value, option);
const isBoolean: Check = (value) => typeof value === 'boolean';
const isId = (value: unknown): boolean => Number.isSafeInteger(value) && Number(value) >= 0;
const isFiniteNumber = (value: unknown): boolean => Number.isFinite(value);
const isListOf = (value: unknown, isItem: (item: unknown) => boolean): boolean =>
  Array.isArray(value) && value.length > 0 && value.every(isItem);
const isIds = (value: unknown): boolean => isListOf(value, isId);
const isPair = (value: unknown, isFirst: (item: unknown) => boolean, isSecond: (item: unknown) => boolean): boolean =>
  Array.isArray(value) && value.length === 2 && isFirst(value[0]) && isSecond(value[1]);
const isNonEmptyString = (value: unknown): boolean => typeof value === 'string' && value !== '';
const hasMethods = (value: unknown, ...names: string[]): boolean =>
  typeof value === 'object' && value !== null && names.every((name) => typeof Reflect.get(value, name) === 'function');

/** The check of each value type, and its name in messages. */
const valueTypes: Readonly<Record<GenerationOptionKind, { readonly expected: string; readonly check: Check }>> = {
  integer: { expected: 'an integer', check: isInteger },
  number: { expected: 'a number', check: isNumber },
  boolean: { expected: 'true or false', check: isBoolean },
  booleanOrNever: {
    expected: 'true, false or "never"',
    check: (value, option) => value === 'never' || isBoolean(value, option),
  },
  id: { expected: 'a token id', check: isId },
  ids: { expected: 'a list of token ids', check: (value) => Array.isArray(value) && value.every(isId) },
  idOrIds: { expected: 'a token id or a list of them', check: (value) => isId(value) || isIds(value) },
  idLists: { expected: 'a list of lists of token ids', check: (value) => isListOf(value, isIds) },
  biases: {
    expected: 'a list of [ids, bias] pairs',
    check: (value) => isListOf(value, (item) => isPair(item, isIds, isFiniteNumber)),
  },
  decay: {
    expected: 'a pair [start, factor] with a positive factor',
    check: (value) => isPair(value, isId, (factor) => isFiniteNumber(factor) && Number(factor) > 0),
  },
  strings: {
    expected: 'a non-empty string or a list of them',
    check: (value) => isNonEmptyString(value) || isListOf(value, isNonEmptyString),
  },
  functions: {
    expected: 'a list of functions',
    check: (value) => Array.isArray(value) && value.every((item) => typeof item === 'function'),
  },
  streamer: { expected: 'an object with the methods put and end', check: (value) => hasMethods(value, 'put', 'end') },
  signal: { expected: 'an AbortSignal', check: (value) => hasMethods(value, 'throwIfAborted') },
};

/**
 * Validates names and values of options against `generationOptions`, and the combinations that exclude each other.
 * Options that require `doSample` or beam search (`needs` in the table) are accepted without it, because presets and
 * stored configurations contain them; they have no effect then.
 * @throws Blip2Error `UNKNOWN_OPTION`, with the most similar known name; `INVALID_ARGUMENT`, with the expected value.
 */
export function validateGenerationOptions(options: GenerationOptions): void {
  if (typeof options !== 'object' || options === null || Array.isArray(options))
    throw mustBe('options', 'an object of generation options', options);
  for (const [name, value] of Object.entries(options)) {
    if (!isOptionName(name)) {
      if (value === undefined) continue;
      throw unknownOption(name);
    }
    const option = generationOptions[name];
    const { expected, check } = valueTypes[option.kind];
    if (value !== undefined && !check(value, option)) {
      throw new Blip2Error('INVALID_ARGUMENT', {
        argument: name,
        expected: expected + bounds(option),
        got: show(value),
      });
    }
  }
  checkReturnedSequences(options);
  checkPromptLookup(options);
  checkForcedTokens(options);
}

function isOptionName(name: string): name is keyof GenerationOptions {
  return Object.hasOwn(generationOptions, name);
}

function unknownOption(name: string): Blip2Error {
  const nearest = nearestName(name, Object.keys(generationOptions));
  return new Blip2Error('UNKNOWN_OPTION', `Unknown generation option "${name}"`, {
    fix: nearest === undefined ? 'GenerationOptions lists all of them' : `Did you mean "${nearest}"?`,
  });
}

function bounds({ min, above, max }: GenerationOption): string {
  const parts = [
    min !== undefined && `of at least ${min}`,
    above !== undefined && `above ${above}`,
    max !== undefined && `at most ${max}`,
  ].filter(Boolean);
  return parts.length ? ` ${parts.join(' and ')}` : '';
}

/** Maximum length of a value in a message, in UTF-16 code units. */
const MAX_SHOWN_LENGTH = 60;

/** The value as JSON: unlike `mustBe`, with the items of lists, because lists of ids are the usual mistake. */
function show(value: unknown): string {
  const text =
    typeof value === 'number' || typeof value === 'function' ? String(value) : (JSON.stringify(value) ?? String(value));
  return text.length > MAX_SHOWN_LENGTH ? `${text.slice(0, MAX_SHOWN_LENGTH)}…` : text;
}

function checkPromptLookup({ promptLookupNumTokens, numBeams = 1, doSample = false }: GenerationOptions): void {
  if (promptLookupNumTokens === undefined || (numBeams === 1 && !doSample)) return;
  throw new Blip2Error('INVALID_ARGUMENT', 'promptLookupNumTokens is only supported by greedy search', {
    argument: 'promptLookupNumTokens',
    expected: 'numBeams 1 and no doSample',
    fix: 'Leave one of them out',
  });
}

function checkForcedTokens({ suppressTokens = [], forcedBosTokenId, forcedEosTokenId }: GenerationOptions): void {
  for (const [argument, forced] of Object.entries({ forcedBosTokenId, forcedEosTokenId })) {
    if (forced === undefined || [forced].flat().some((id) => !suppressTokens.includes(id))) continue;
    throw new Blip2Error('INVALID_ARGUMENT', {
      argument,
      expected: 'a token id that is not in suppressTokens',
      got: String(forced),
      fix: 'Remove it from one of them; to prevent early end tokens, set minNewTokens',
    });
  }
}

function checkReturnedSequences({
  numBeams = 1,
  numReturnSequences = 1,
  doSample = false,
  streamer,
}: GenerationOptions): void {
  if (numBeams > 1 && streamer) {
    throw new Blip2Error('INVALID_ARGUMENT', 'streamer is not supported with beam search, which selects tokens last', {
      argument: 'streamer',
      fix: 'Set numBeams to 1',
    });
  }
  if (numReturnSequences > numBeams && (numBeams > 1 || !doSample)) {
    throw mustBe('numReturnSequences', `at most numBeams (${numBeams})`, numReturnSequences, {
      fix: 'Raise numBeams or set doSample',
    });
  }
}
