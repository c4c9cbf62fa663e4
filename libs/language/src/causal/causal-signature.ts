import { f32, i64, type TensorSpec } from '@blip2/interfaces';
import { layeredSpecs } from '@blip2/onnx';

export interface EmbeddingSignature {
  readonly inputs: { readonly input_ids: TensorSpec<'int64', readonly ['batch', 'sequence']> };
  readonly outputs: { readonly inputs_embeds: TensorSpec<'float32', readonly ['batch', 'sequence', number]> };
}

/** What a causal decoder's graph is given beside embeddings, and asked for beside scores. */
export interface CausalRequest {
  /** Read keys and values of earlier positions, and give those of the new ones. */
  readonly cache: boolean;
  readonly lastHiddenState: boolean;
  readonly hiddenStates: boolean;
  readonly attentions: boolean;
}

/** The graph of a causal decoder; each architecture adds inputs that say where the positions stand. */
export interface CausalSignature {
  readonly inputs: {
    readonly inputs_embeds: TensorSpec<'float32', readonly ['batch', 'sequence', number]>;
    readonly attention_bias: TensorSpec<'float32', readonly ['batch', 1, 'sequence', string]>;
    /** Which of the positions are scored: the head costs as much as many layers. */
    readonly logit_positions: TensorSpec<'int64', readonly ['scored']>;
  } & Readonly<Record<string, TensorSpec<'float32' | 'int64'>>>;
  readonly outputs: { readonly logits: TensorSpec<'float32', readonly ['batch', 'scored', number]> } & Readonly<
    Record<string, TensorSpec<'float32'>>
  >;
}

/** Sizes of a causal decoder. */
export interface CausalSizes {
  readonly layers: number;
  /** Of queries. */
  readonly heads: number;
  /** Of keys and values. */
  readonly keyValueHeads: number;
  readonly headSize: number;
  readonly hiddenSize: number;
  /** Width of embeddings and of the final states. */
  readonly embeddingSize: number;
  readonly vocabSize: number;
}

export function causalSignature(
  { layers, heads, keyValueHeads, headSize, hiddenSize, embeddingSize, vocabSize }: CausalSizes,
  { cache, lastHiddenState, hiddenStates, attentions }: CausalRequest,
): CausalSignature {
  const total = cache ? 'past+sequence' : 'sequence';
  const past = f32('batch', keyValueHeads, 'past', headSize);
  // New rows only: the runtime copies every output, and the whole cache per token would cost more than attention
  // itself.
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
