import type { TextConfig } from '@blip2/config';
import type { Part, StandalonePart } from '@blip2/part';

import type { CausalLanguageModel } from './causal/causal-forward-types.ts';
import type { Seq2SeqLanguageModel } from './seq2seq/seq2seq-language-model.ts';

/** A language model that was loaded from a checkpoint, told apart by `architecture`. */
export type CheckpointLanguageModel = (CausalLanguageModel | Seq2SeqLanguageModel) & StandalonePart<TextConfig>;

/** What a family of language models declares. */
export interface LanguageFamily<C extends TextConfig = TextConfig> {
  /** Loads, plans, initializes and creates models of the family. */
  readonly part: Part<C, CheckpointLanguageModel>;
  /**
   * Names of the token embedding, below the path of the language model. A checkpoint may store any of them, and may
   * store the embedding of a tied head as the head alone.
   */
  readonly tokenEmbeddings: readonly string[];
  /** Whether the token embedding replaces an absent head even if the configuration does not tie them. Default false. */
  readonly embeddingReplacesHead?: boolean;
  /** Whether several modules share the token embedding, so that adapters cannot change it for one. Default false. */
  readonly hasSharedEmbeddings?: boolean;
}
