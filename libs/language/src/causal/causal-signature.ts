import { f32, i64, type TensorSpec } from '@blip2/interfaces';
import { layeredSpecs } from '@blip2/onnx';

import type { DecoderRequest } from '../decoder-outputs.ts';

/** What a causal decoder's graph has as inputs in addition to embeddings, and as outputs in addition to logits. */
export type CausalRequest = DecoderRequest;

/** The graph of a causal decoder. Each architecture adds the inputs of its position encoding. */
export interface CausalSignature {
  readonly inputs: {
    readonly inputs_embeds: TensorSpec<'float32', readonly ['batch', 'sequence', number]>;
    readonly attention_bias: TensorSpec<'float32', readonly ['batch', 1, 'sequence', string]>;
    /** Positions to compute logits for: the head costs as much as many layers. */
    readonly logit_positions: TensorSpec<'int64', readonly ['scored']>;
  } & Readonly<Record<string, TensorSpec<'float32' | 'int64'>>>;
  readonly outputs: { readonly logits: TensorSpec<'float32', readonly ['batch', 'scored', number]> } & Readonly<
    Record<string, TensorSpec<'float32'>>
  >;
}

/** Sizes of a causal decoder. */
export interface CausalSizes {
  readonly layers: number;
  /** Number of query heads. */
  readonly heads: number;
  readonly keyValueHeads: number;
  readonly headSize: number;
  readonly hiddenSize: number;
  /** Width of the embeddings and of the final hidden states. */
  readonly embeddingSize: number;
  readonly vocabSize: number;
}

export function causalSignature(
  { layers, heads, keyValueHeads, headSize, hiddenSize, embeddingSize, vocabSize }: CausalSizes,
  { cache, lastHiddenState, hiddenStates, attentions }: CausalRequest,
): CausalSignature {
  const total = cache ? 'past+sequence' : 'sequence';
  const past = f32('batch', keyValueHeads, 'past', headSize);
  // New rows only: the runtime copies every output, and copying the entire cache for each token would cost more than
  // attention itself.
  const fresh = f32('batch', 'sequence', keyValueHeads * headSize);
  return {
    inputs: {
      inputs_embeds: f32('batch', 'sequence', embeddingSize),
      attention_bias: f32('batch', 1, 'sequence', total),
      logit_positions: i64('scored'),
      ...(cache && { ...layeredSpecs('past_key', layers, past), ...layeredSpecs('past_value', layers, past) }),
    },
    outputs: {
      logits: f32('batch', 'scored', vocabSize),
      ...(cache && { ...layeredSpecs('new_key', layers, fresh), ...layeredSpecs('new_value', layers, fresh) }),
      ...(lastHiddenState && { last_hidden_state: f32('batch', 'sequence', embeddingSize) }),
      ...(hiddenStates && {
        ...layeredSpecs('hidden_states', layers, f32('batch', 'sequence', hiddenSize)),
        [`hidden_states.${layers}`]: f32('batch', 'sequence', embeddingSize),
      }),
      ...(attentions && layeredSpecs('attentions', layers, f32('batch', heads, 'sequence', total))),
    },
  };
}
