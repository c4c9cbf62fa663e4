import type { JsonObject } from '@blip2/files';
import { Tokenizer as LibraryTokenizer } from '@huggingface/tokenizers';

import type { TokenizerModel } from './vocabulary.ts';

/** Words, as a pre-tokenizer gives them, to token ids. */
export type Engine = (words: readonly string[]) => readonly number[];

/** What is used of the library, typed by hand: its own declarations resolve to `any` under `nodenext`. */
interface LibraryModel {
  (words: string[]): string[];
  readonly tokens_to_ids: ReadonlyMap<string, number>;
  readonly unk_token_id: number | undefined;
}
type Library = new (tokenizer: JsonObject, config: JsonObject) => { readonly model: LibraryModel };

/** Never part of a well-formed text, so a piece that begins with it is never matched. */
const UNMATCHABLE = '\ud800';

/**
 * The subword models (BPE, Unigram, WordPiece) of `@huggingface/tokenizers`. Everything around them is ours, because
 * the library
 * differs there from the Rust one that the reference uses. `hidden` pieces are never produced from text.
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
 * A Unigram model finds any piece anywhere, control tokens too; BPE needs merges for that, WordPiece splits at brackets
 * first.
 */
function hidePieces(json: JsonObject, hidden: ReadonlySet<string>): JsonObject {
  const pieces: unknown = json['vocab'];
  if (!Array.isArray(pieces) || hidden.size === 0) return json;
  return {
    ...json,
    vocab: pieces.map(([piece, score]: [string, number]) => [hidden.has(piece) ? UNMATCHABLE + piece : piece, score]),
  };
}
