import { isJsonObject, type JsonObject } from '@blip2/files';

import { invalidTokenizer } from './components.ts';
import { MAX_ADDED_TOKENS, MAX_ADDED_UNITS, MAX_TOKEN_ID, MAX_TOKEN_LENGTH } from './limits.ts';

/** A token that is matched in a text before the subword model runs. */
export interface AddedToken {
  readonly id: number;
  readonly content: string;
  /** Dropped by `decode(…, { skipSpecialTokens })` and not matched in escaped texts. */
  readonly special: boolean;
  /** Matched in the normalised text. */
  readonly normalized: boolean;
  /** Includes the white space before it. */
  readonly lstrip: boolean;
  /** Includes the white space after it. */
  readonly rstrip: boolean;
  /** Matched as a whole word only. */
  readonly singleWord: boolean;
}

/**
 * Reads the added tokens of a tokenizer: those of `tokenizer.json`, those declared in `tokenizer_config.json` only, and
 * `named`, the special tokens by role (`eos_token`, …) and extra ones, which get their id in the vocabulary or the next
 * free one.
 * @throws Blip2Error `INVALID_TOKENIZER` for invalid or too many entries.
 */
export function readAddedTokens(
  tokenizer: JsonObject,
  config: JsonObject,
  named: readonly string[],
  vocabulary: ReadonlyMap<string, number>,
): readonly AddedToken[] {
  const listed = Array.isArray(tokenizer['added_tokens']) ? tokenizer['added_tokens'] : [];
  const declared = isJsonObject(config['added_tokens_decoder']) ? Object.entries(config['added_tokens_decoder']) : [];
  if (listed.length + declared.length + named.length > 3 * MAX_ADDED_TOKENS) throw tooMany();
  const tokens = new Map<string, AddedToken>();
  for (const entry of listed) add(tokens, toAddedToken(entry, isJsonObject(entry) ? entry['id'] : undefined));
  for (const [id, entry] of declared) {
    const token = toAddedToken(entry, Number(id));
    if (!tokens.has(token.content)) add(tokens, token);
  }
  let next = Math.max(maximum([...tokens.values()].map(({ id }) => id)), maximum(vocabulary.values())) + 1;
  for (const content of named) {
    const known = tokens.get(content);
    const id = known?.id ?? vocabulary.get(content) ?? next++;
    tokens.set(content, { ...(known ?? plainToken(content, id)), special: true });
  }
  if (tokens.size > MAX_ADDED_TOKENS) throw tooMany();
  const units = [...tokens.keys()].reduce((sum, { length }) => sum + length, 0);
  if (units > MAX_ADDED_UNITS)
    throw invalidTokenizer('The added tokens are too long', {
      expected: `at most ${MAX_ADDED_UNITS} characters in all added tokens`,
      got: String(units),
    });
  return [...tokens.values()];
}

function add(tokens: Map<string, AddedToken>, token: AddedToken): void {
  const known = tokens.get(token.content);
  if (known && known.id !== token.id)
    throw invalidTokenizer('An added token has two ids', {
      got: `${JSON.stringify(token.content)}: ${known.id} and ${token.id}`,
    });
  tokens.set(token.content, token);
}

function toAddedToken(entry: unknown, id: unknown): AddedToken {
  const {
    content,
    special,
    normalized,
    lstrip,
    rstrip,
    single_word: singleWord,
  }: JsonObject = isJsonObject(entry) ? entry : {};
  if (typeof content !== 'string' || content === '' || content.length > MAX_TOKEN_LENGTH || /\p{Cs}/u.test(content))
    throw invalidTokenizer('An added token has no usable content', { got: String(content).slice(0, 100) });
  if (!isTokenId(id))
    throw invalidTokenizer('An added token has no usable id', {
      expected: `0 to ${MAX_TOKEN_ID - 1}`,
      got: `${String(id)} for ${JSON.stringify(content)}`,
    });
  const isSpecial = special === true;
  return {
    id,
    content,
    special: isSpecial,
    normalized: typeof normalized === 'boolean' ? normalized : !isSpecial,
    lstrip: lstrip === true,
    rstrip: rstrip === true,
    singleWord: singleWord === true,
  };
}

function plainToken(content: string, id: number): AddedToken {
  return { id, content, special: true, normalized: false, lstrip: false, rstrip: false, singleWord: false };
}

/** Whether a value can be a token id. */
export function isTokenId(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0 && value < MAX_TOKEN_ID;
}

function tooMany(): Error {
  return invalidTokenizer('Too many added tokens', { expected: `at most ${MAX_ADDED_TOKENS}` });
}

function maximum(values: Iterable<number>): number {
  let largest = -1;
  for (const value of values) largest = Math.max(largest, value);
  return largest;
}
