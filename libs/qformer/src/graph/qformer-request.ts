/** What a Q-Former graph has as inputs besides its positions, and as outputs besides its hidden states. */
export interface QFormerRequest {
  /** Number of positions that are queries: all of them, none, or the first `n` (text follows). */
  readonly queryLength: 'all' | number;
  readonly hiddenStates: boolean;
  readonly attentions: boolean;
  /** An attention mask is an input: one row for all positions (`true`), or one per position (`pairs`). */
  readonly masked: boolean | 'pairs';
  /** A mask over the image is an input. */
  readonly encoderMasked: boolean;
  /** A factor for every head of every layer is an input. */
  readonly headMasked?: boolean;
  /** Keys and values of earlier positions are inputs. */
  readonly past?: boolean;
  /** Keys and values of all positions are outputs. */
  readonly keyValues?: boolean;
  /** Path of the first norm below the graph's prefix. Default `layernorm`; InstructBLIP's is `embeddings.layernorm`. */
  readonly norm?: string;
}

/** All positions are queries, the hidden states of the last layer are the only output, and there are no masks. */
export const PLAIN_REQUEST: QFormerRequest = {
  queryLength: 'all',
  hiddenStates: false,
  attentions: false,
  masked: false,
  encoderMasked: false,
};
