import type { JsonObject } from '@blip2/files';
import { Tokenizer as LibraryTokenizer } from '@huggingface/tokenizers';

import type { TokenizerModel } from './vocabulary.ts';

/** Maps words, as split by the pre-tokenizer, to token ids. */
export type Engine = (words: readonly string[]) => readonly number[];

/** The parts of the library that are used here. Its own declarations resolve to `any` under `nodenext`. */
interface LibraryModel {
  (words: string[]): string[];
  readonly tokens_to_ids: ReadonlyMap<string, number>;
  readonly unk_token_id: number | undefined;
}
type Library = new (tokenizer: JsonObject, config: JsonObject) => { readonly model: LibraryModel };

/** A lone surrogate, which well-formed text does not contain: pieces that start with it are never matched. */
const UNMATCHABLE = '\ud800';

/**
 * Creates a subword model (BPE, Unigram, WordPiece) of `@huggingface/tokenizers`. All other stages are implemented in
 * this package, because the library differs there from the Rust library, which HF uses. `hidden` pieces are never
 * produced.
 */
export function createEngine(
  { type, json, vocabulary }: TokenizerModel,
  hidden: ReadonlySet<string> = new Set(),
): Engine {
  const ModelOwner: Library = LibraryTokenizer;
  const { model } = new ModelOwner(
    {
      model: type === 'Unigram' ? hidePieces(json, hidden) : json,
      normalizer: null,
      pre_tokenizer: null,
      post_processor: null,
      decoder: null,
      added_tokens: [],
    },
    {},
  );
  const unknown = type === 'BPE' ? vocabulary.get(String(json['unk_token'])) : model.unk_token_id;
  return (words) =>
    model([...words]).flatMap((token) => {
      const id = model.tokens_to_ids.get(token) ?? unknown;
      return id === undefined ? [] : [id];
    });
}

/**
 * Makes pieces unmatchable. Only needed for Unigram, which matches all pieces anywhere, control tokens included: BPE
 * would need merges for that, and WordPiece splits at brackets first.
 */
function hidePieces(json: JsonObject, hidden: ReadonlySet<string>): JsonObject {
  const pieces: unknown = json['vocab'];
  if (!Array.isArray(pieces) || hidden.size === 0) return json;
  return {
    ...json,
    vocab: pieces.map(([piece, score]: [string, number]) => [hidden.has(piece) ? UNMATCHABLE + piece : piece, score]),
  };
}
