import { isJsonObject, type JsonObject } from '@blip2/files';

import { isTokenId } from './added-tokens.ts';
import { invalidTokenizer } from './components.ts';
import { MAX_PIECE_LENGTH, MAX_TOKEN_ID, MAX_TOKEN_LENGTH, MAX_WORD_CHARACTERS } from './limits.ts';

/** Supported subword models. */
export const MODEL_TYPES = ['BPE', 'Unigram', 'WordPiece'] as const;
/** Name of a subword model. */
export type ModelType = (typeof MODEL_TYPES)[number];

/** The validated `model` of a `tokenizer.json`. */
export interface TokenizerModel {
  readonly type: ModelType;
  /** In the format of the library, with an explicit type. */
  readonly json: JsonObject;
  readonly vocabulary: ReadonlyMap<string, number>;
}

/**
 * Validates a model and its vocabulary: known type, unique ids in range, bounded lengths, no randomness.
 * @throws Blip2Error `INVALID_TOKENIZER` otherwise.
 */
export function readModel(json: unknown): TokenizerModel {
  if (!isJsonObject(json)) throw invalidTokenizer('There is no model');
  const type = modelType(json);
  if (type === 'Unigram') return { type, json: { ...json, type }, vocabulary: readPieces(json) };
  const vocabulary = readVocabulary(json['vocab']);
  checkUnset(json, type === 'BPE' ? ['dropout', 'continuing_subword_prefix', 'end_of_word_suffix'] : []);
  if (type === 'BPE') return { type, json: { ...json, type, merges: readMerges(json['merges']) }, vocabulary };
  checkWordPiece(json, vocabulary);
  return { type, json: { ...json, type }, vocabulary };
}

/** The type of a model. Files from 2020 omit it, so it is derived from their fields. */
function modelType(json: JsonObject): ModelType {
  const guess = 'merges' in json ? 'BPE' : Array.isArray(json['vocab']) ? 'Unigram' : 'WordPiece';
  const type = MODEL_TYPES.find((known) => known === (json['type'] ?? guess));
  if (type) return type;
  throw invalidTokenizer('Unknown tokenizer model', { expected: MODEL_TYPES.join(', '), got: String(json['type']) });
}

function readVocabulary(vocab: unknown): ReadonlyMap<string, number> {
  if (!isJsonObject(vocab)) throw invalidTokenizer('The model has no vocabulary');
  const vocabulary = new Map<string, number>();
  const owners = new Map<number, string>();
  for (const [token, id] of Object.entries(vocab)) {
    if (token.length > MAX_TOKEN_LENGTH)
      throw invalidTokenizer('A token is too long', { expected: `at most ${MAX_TOKEN_LENGTH} characters` });
    if (!isTokenId(id))
      throw invalidTokenizer('A token has no usable id', {
        expected: `0 to ${MAX_TOKEN_ID - 1}`,
        got: `${String(id)} for ${JSON.stringify(token)}`,
      });
    const owner = owners.get(id);
    if (owner !== undefined)
      throw invalidTokenizer('Two tokens share an id', {
        got: `${JSON.stringify(owner)} and ${JSON.stringify(token)} are ${id}`,
      });
    owners.set(id, token);
    vocabulary.set(token, id);
  }
  if (vocabulary.size === 0) throw invalidTokenizer('The vocabulary is empty');
  return vocabulary;
}

function readPieces(json: JsonObject): ReadonlyMap<string, number> {
  const { vocab, unk_id: unknownId, byte_fallback: byteFallback } = json;
  if (!Array.isArray(vocab) || vocab.length === 0 || vocab.length > MAX_TOKEN_ID)
    throw invalidTokenizer('The model has no list of pieces');
  if (byteFallback === true) throw invalidTokenizer('Unigram models with byte fallback are not supported');
  if (!isTokenId(unknownId) || unknownId >= vocab.length)
    throw invalidTokenizer('The model has no piece for unknown characters', {
      got: `unk_id ${String(unknownId)}`,
    });
  const vocabulary = new Map<string, number>();
  vocab.forEach((entry: unknown, id) => {
    const [piece, score]: unknown[] = Array.isArray(entry) ? entry : [];
    if (
      typeof piece !== 'string' ||
      piece.length > MAX_PIECE_LENGTH ||
      typeof score !== 'number' ||
      !Number.isFinite(score)
    ) {
      throw invalidTokenizer('A piece must be a pair of a short string and a score', { got: `entry ${id}` });
    }
    vocabulary.set(piece, id);
  });
  return vocabulary;
}

/** Reads merges: pairs, or in older files `"a b"`. */
function readMerges(merges: unknown): readonly (readonly [string, string])[] {
  if (!Array.isArray(merges) || merges.length > MAX_TOKEN_ID) throw invalidTokenizer('The model has no list of merges');
  return merges.map((merge: unknown, index) => {
    const [left, right, ...more]: unknown[] =
      typeof merge === 'string' ? merge.split(' ') : Array.isArray(merge) ? merge : [];
    if (typeof left === 'string' && typeof right === 'string' && more.length === 0) return [left, right];
    throw invalidTokenizer('A merge must be a pair of tokens', { got: `entry ${index}` });
  });
}

function checkWordPiece(json: JsonObject, vocabulary: ReadonlyMap<string, number>): void {
  const { max_input_chars_per_word: characters = 100, unk_token: unknown, continuing_subword_prefix: prefix } = json;
  if (typeof characters !== 'number' || characters < 1 || characters > MAX_WORD_CHARACTERS)
    throw invalidTokenizer('max_input_chars_per_word is too long', {
      expected: `at most ${MAX_WORD_CHARACTERS} characters`,
      got: String(characters),
    });
  if (typeof unknown !== 'string' || !vocabulary.has(unknown))
    throw invalidTokenizer('The vocabulary does not contain unk_token', { got: String(unknown) });
  if (typeof prefix !== 'string') throw invalidTokenizer('WordPiece requires a continuing_subword_prefix');
}

function checkUnset(json: JsonObject, fields: readonly string[]): void {
  const set = fields.find(
    (field) => json[field] !== undefined && json[field] !== null && json[field] !== 0 && json[field] !== '',
  );
  if (set) throw invalidTokenizer(`${set} is not supported`, { got: String(json[set]) });
}
