import type { Work } from '../work.ts';

/**
 * Maps words, as split by the pre-tokenizer, to token ids. `hidden` ids are never produced; only Unigram can produce
 * them, because it matches all pieces anywhere: BPE would need merges, and WordPiece splits at brackets first.
 */
export type Encode = (words: readonly string[], work: Work, hidden?: ReadonlySet<number>) => readonly number[];

/** Byte pair encoding. */
export interface Bpe {
  readonly type: 'BPE';
  readonly vocabulary: ReadonlyMap<string, number>;
  /** Ids of the two tokens and of their concatenation, by rank: three integers per merge. */
  readonly merges: Int32Array;
  /** Token of unknown characters, which are dropped without one. */
  readonly unknown: string | undefined;
  /** Adjacent unknown characters become one token. */
  readonly fuseUnknown: boolean;
  readonly byteFallback: boolean;
  /** Words in the vocabulary are not split. */
  readonly ignoreMerges: boolean;
  /** Precedes every character but the first. */
  readonly prefix: string;
  /** Follows the last character. */
  readonly suffix: string;
}

/** Unigram language model of SentencePiece. Ids are indices of pieces. */
export interface Unigram {
  readonly type: 'Unigram';
  readonly vocabulary: ReadonlyMap<string, number>;
  /** Log-probabilities by id. */
  readonly scores: Float64Array;
  readonly unknownId: number;
  readonly byteFallback: boolean;
}

/** Longest match first, as in BERT. */
export interface WordPiece {
  readonly type: 'WordPiece';
  readonly vocabulary: ReadonlyMap<string, number>;
  readonly unknownId: number;
  /** Precedes all pieces of a word but the first. */
  readonly prefix: string;
  /** Longer words are unknown. In characters. */
  readonly maxWordCharacters: number;
}

/** One token per word. */
export interface WordLevel {
  readonly type: 'WordLevel';
  readonly vocabulary: ReadonlyMap<string, number>;
  readonly unknownId: number | undefined;
}

/** The validated `model` of a `tokenizer.json`. */
export type TokenizerModel = Bpe | Unigram | WordPiece | WordLevel;
