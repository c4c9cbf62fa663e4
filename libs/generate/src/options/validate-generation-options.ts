import {
  Blip2Error,
  type GenerationOption,
  type GenerationOptionKind,
  type GenerationOptions,
  generationOptions,
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
const isText = (value: unknown): boolean => typeof value === 'string' && value !== '';
const hasMethods = (value: unknown, ...names: string[]): boolean =>
  typeof value === 'object' && value !== null && names.every((name) => typeof Reflect.get(value, name) === 'function');

const forms: Readonly<Record<GenerationOptionKind, { readonly expected: string; readonly check: Check }>> = {
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
    expected: 'a list of [ids, bias]',
    check: (value) => isListOf(value, (item) => isPair(item, isIds, isFiniteNumber)),
  },
  decay: {
    expected: '[start, factor]',
    check: (value) => isPair(value, isId, (factor) => isFiniteNumber(factor) && Number(factor) > 0),
  },
  strings: {
    expected: 'a text or a list of texts, none empty',
    check: (value) => isText(value) || isListOf(value, isText),
  },
  functions: {
    expected: 'a list of functions',
    check: (value) => Array.isArray(value) && value.every((item) => typeof item === 'function'),
  },
  streamer: { expected: 'an object with put and end', check: (value) => hasMethods(value, 'put', 'end') },
  signal: { expected: 'an AbortSignal', check: (value) => hasMethods(value, 'throwIfAborted') },
};

/**
 * Checks names and values of options against the table of `@blip2/interfaces`, and what depends on two of them.
 * Options of sampling without `doSample`, and of beam search without beams (`needs` in the table), are none of its
 * business: they change nothing, and presets
 * hold them.
 * @throws Blip2Error `UNKNOWN_OPTION`, which names the nearest known one; `INVALID_ARGUMENT`, which says what was
 * expected.
 */
export function validateGenerationOptions(options: GenerationOptions): void {
  for (const [name, value] of Object.entries(options)) {
    if (!isOptionName(name)) throw unknownOption(name);
    const option = generationOptions[name];
    const form = forms[option.kind];
    if (value !== undefined && !form.check(value, option)) {
      throw new Blip2Error('INVALID_ARGUMENT', 'A generation option has an impossible value', {
        where: name,
        expected: form.expected + bounds(option),
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
  return new Blip2Error('UNKNOWN_OPTION', `There is no generation option "${name}"`, {
    fix: nearest === undefined ? 'See GenerationOptions for all of them' : `Did you mean "${nearest}"?`,
  });
}

function bounds({ min, above, max }: GenerationOption): string {
  const parts = [
    min !== undefined && `at least ${min}`,
    above !== undefined && `above ${above}`,
    max !== undefined && `at most ${max}`,
  ].filter(Boolean);
  return parts.length ? ` ${parts.join(' and ')}` : '';
}

const LONGEST_VALUE_SHOWN = 60;
function show(value: unknown): string {
  const text =
    typeof value === 'number' || typeof value === 'function' ? String(value) : (JSON.stringify(value) ?? String(value));
  return text.length > LONGEST_VALUE_SHOWN ? `${text.slice(0, LONGEST_VALUE_SHOWN)}…` : text;
}

function checkPromptLookup({ promptLookupNumTokens, numBeams = 1, doSample = false }: GenerationOptions): void {
  if (promptLookupNumTokens === undefined || (numBeams === 1 && !doSample)) return;
  throw new Blip2Error('INVALID_ARGUMENT', 'Prompt lookup guesses what greedy search writes', {
    where: 'promptLookupNumTokens',
    expected: 'numBeams 1 and no doSample',
    fix: 'Leave one of them out',
  });
}

function checkForcedTokens({ suppressTokens = [], forcedBosTokenId, forcedEosTokenId }: GenerationOptions): void {
  for (const [where, forced] of Object.entries({ forcedBosTokenId, forcedEosTokenId })) {
    if (forced === undefined || [forced].flat().some((id) => !suppressTokens.includes(id))) continue;
    throw new Blip2Error('INVALID_ARGUMENT', 'A token is both forced and suppressed, so none would be left to choose', {
      where,
      expected: 'an id that suppressTokens does not hold',
      got: String(forced),
      fix: 'Leave it out of one of them; minNewTokens keeps a row from ending early',
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
    throw new Blip2Error(
      'INVALID_ARGUMENT',
      'A beam search decides about its tokens at the end and cannot be streamed',
      { where: 'streamer', fix: 'Set numBeams to 1' },
    );
  }
  if (numReturnSequences > numBeams && (numBeams > 1 || !doSample)) {
    throw new Blip2Error('INVALID_ARGUMENT', 'More sequences are asked for than the search has', {
      where: 'numReturnSequences',
      expected: `at most numBeams (${numBeams})`,
      got: String(numReturnSequences),
      fix: 'Raise numBeams, or set doSample',
    });
  }
}
