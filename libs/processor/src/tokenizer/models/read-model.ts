import { isJsonObject, type JsonObject } from '@blip2/files';

import { isTokenId } from '../added-tokens.ts';
import { invalidTokenizer } from '../components.ts';
import {
  MAX_INSERTED_LENGTH,
  MAX_PIECE_LENGTH,
  MAX_TOKEN_ID,
  MAX_TOKEN_LENGTH,
  MAX_VOCABULARY_SIZE,
  MAX_VOCABULARY_UNITS,
  MAX_WORD_CHARACTERS,
} from '../limits.ts';
import type { Bpe, TokenizerModel, Unigram, WordLevel, WordPiece } from './model.ts';

/** Supported models. */
const READERS: Readonly<Record<TokenizerModel['type'], (json: JsonObject) => TokenizerModel>> = {
  BPE: readBpe,
  Unigram: readUnigram,
  WordPiece: readWordPiece,
  WordLevel: readWordLevel,
};

/**
 * Reads and validates a model and its vocabulary: known type, unique ids in range, bounded lengths, no randomness.
 * @throws Blip2Error `INVALID_TOKENIZER` otherwise.
 */
export function readModel(json: unknown): TokenizerModel {
  if (!isJsonObject(json)) throw invalidTokenizer('There is no model');
  // Files from 2020 omit the type, so it is derived from their fields.
  const guess = 'merges' in json ? 'BPE' : Array.isArray(json['vocab']) ? 'Unigram' : 'WordPiece';
  const type = json['type'] ?? guess;
  if (typeof type === 'string' && Object.hasOwn(READERS, type)) return READERS[type as TokenizerModel['type']](json);
  throw invalidTokenizer('Unknown tokenizer model', {
    expected: Object.keys(READERS).join(', '),
    got: String(type).slice(0, 100),
  });
}

function readBpe(json: JsonObject): Bpe {
  const { dropout, unk_token: unknown } = json;
  if (dropout !== undefined && dropout !== null && dropout !== 0)
    throw invalidTokenizer('dropout is not supported', { got: String(dropout) });
  const vocabulary = readVocabulary(json['vocab']);
  const prefix = affix(json, 'continuing_subword_prefix');
  return {
    type: 'BPE',
    vocabulary,
    merges: readMerges(json['merges'], vocabulary, prefix),
    unknown: typeof unknown === 'string' ? unknown : undefined,
    fuseUnknown: json['fuse_unk'] === true,
    byteFallback: json['byte_fallback'] === true,
    ignoreMerges: json['ignore_merges'] === true,
    prefix,
    suffix: affix(json, 'end_of_word_suffix'),
  };
}

function readUnigram({ vocab, unk_id: unknownId, byte_fallback: byteFallback }: JsonObject): Unigram {
  if (!Array.isArray(vocab) || vocab.length === 0) throw invalidTokenizer('The model has no list of pieces');
  checkSize(vocab.length);
  if (!isTokenId(unknownId) || unknownId >= vocab.length)
    throw invalidTokenizer('The model has no piece for unknown characters', {
      got: `unk_id ${String(unknownId)}`,
    });
  const vocabulary = new Map<string, number>();
  const scores = new Float64Array(vocab.length);
  let units = 0;
  vocab.forEach((entry: unknown, id) => {
    const [piece, score]: unknown[] = Array.isArray(entry) ? entry : [];
    if (!isToken(piece, MAX_PIECE_LENGTH) || typeof score !== 'number' || !Number.isFinite(score))
      throw invalidTokenizer('A piece must be a pair of a short string and a score', { got: `entry ${id}` });
    checkUnits((units += piece.length));
    vocabulary.set(piece, id);
    scores[id] = score;
  });
  return { type: 'Unigram', vocabulary, scores, unknownId, byteFallback: byteFallback === true };
}

function readWordPiece(json: JsonObject): WordPiece {
  const vocabulary = readVocabulary(json['vocab']);
  const { max_input_chars_per_word: characters = 100, unk_token: unknown, continuing_subword_prefix: prefix } = json;
  if (typeof characters !== 'number' || characters < 1 || characters > MAX_WORD_CHARACTERS)
    throw invalidTokenizer('max_input_chars_per_word is too long', {
      expected: `at most ${MAX_WORD_CHARACTERS} characters`,
      got: String(characters),
    });
  const unknownId = typeof unknown === 'string' ? vocabulary.get(unknown) : undefined;
  if (unknownId === undefined)
    throw invalidTokenizer('The vocabulary does not contain unk_token', { got: String(unknown).slice(0, 100) });
  if (typeof prefix !== 'string') throw invalidTokenizer('WordPiece requires a continuing_subword_prefix');
  return { type: 'WordPiece', vocabulary, unknownId, prefix, maxWordCharacters: characters };
}

function readWordLevel(json: JsonObject): WordLevel {
  const vocabulary = readVocabulary(json['vocab']);
  const unknown = json['unk_token'];
  return {
    type: 'WordLevel',
    vocabulary,
    unknownId: typeof unknown === 'string' ? vocabulary.get(unknown) : undefined,
  };
}

function readVocabulary(vocab: unknown): ReadonlyMap<string, number> {
  if (!isJsonObject(vocab)) throw invalidTokenizer('The model has no vocabulary');
  const tokens = Object.keys(vocab);
  checkSize(tokens.length);
  const vocabulary = new Map<string, number>();
  const isTaken = new Uint8Array(MAX_TOKEN_ID);
  let units = 0;
  for (const token of tokens) {
    const id = vocab[token];
    if (!isToken(token))
      throw invalidTokenizer('A token is too long or no Unicode', {
        expected: `at most ${MAX_TOKEN_LENGTH} characters`,
      });
    checkUnits((units += token.length));
    if (!isTokenId(id))
      throw invalidTokenizer('A token has no usable id', {
        expected: `0 to ${MAX_TOKEN_ID - 1}`,
        got: `${String(id)} for ${JSON.stringify(token)}`,
      });
    if (isTaken[id]) {
      const owner = tokens.find((other) => vocab[other] === id);
      throw invalidTokenizer('Two tokens share an id', {
        got: `${JSON.stringify(owner)} and ${JSON.stringify(token)} are ${id}`,
      });
    }
    isTaken[id] = 1;
    vocabulary.set(token, id);
  }
  if (vocabulary.size === 0) throw invalidTokenizer('The vocabulary is empty');
  return vocabulary;
}

/** Reads merges, pairs or in older files `"a b"`, as ids: left, right and merged. */
function readMerges(merges: unknown, vocabulary: ReadonlyMap<string, number>, prefix: string): Int32Array {
  if (!Array.isArray(merges)) throw invalidTokenizer('The model has no list of merges');
  checkSize(merges.length);
  const ids = new Int32Array(3 * merges.length);
  const prefixLength = [...prefix].length;
  const idOf = (token: string, rank: number): number => {
    const id = vocabulary.get(token);
    if (id !== undefined) return id;
    throw invalidTokenizer('A merge contains a token that is not in the vocabulary', {
      got: `${JSON.stringify(token.slice(0, 100))} in entry ${rank}`,
    });
  };
  merges.forEach((merge: unknown, rank) => {
    const pair: unknown = typeof merge === 'string' ? merge.split(' ', 3) : merge;
    const [left, right]: unknown[] = Array.isArray(pair) && pair.length === 2 ? pair : [];
    if (typeof left !== 'string' || typeof right !== 'string')
      throw invalidTokenizer('A merge must be a pair of tokens', { got: `entry ${rank}` });
    ids[3 * rank] = idOf(left, rank);
    ids[3 * rank + 1] = idOf(right, rank);
    ids[3 * rank + 2] = idOf(left + (prefixLength > 0 ? right.slice(prefixLength) : right), rank);
  });
  return ids;
}

function affix(json: JsonObject, field: string): string {
  const text = json[field] ?? '';
  if (typeof text === 'string' && text.length <= MAX_INSERTED_LENGTH) return text;
  throw invalidTokenizer(`${field} must be a short string`, { expected: `at most ${MAX_INSERTED_LENGTH} characters` });
}

function isToken(token: unknown, maxLength: number = MAX_TOKEN_LENGTH): token is string {
  return typeof token === 'string' && token.length <= maxLength && !/\p{Cs}/u.test(token);
}

function checkSize(size: number): void {
  if (size > MAX_VOCABULARY_SIZE)
    throw invalidTokenizer('The vocabulary is too large', {
      expected: `at most ${MAX_VOCABULARY_SIZE} tokens, pieces or merges`,
      got: String(size),
    });
}

function checkUnits(units: number): void {
  if (units > MAX_VOCABULARY_UNITS)
    throw invalidTokenizer('The vocabulary is too long', {
      expected: `at most ${MAX_VOCABULARY_UNITS} characters in all tokens`,
    });
}
