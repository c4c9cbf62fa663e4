import { isDeepStrictEqual } from 'node:util';

import { Blip2Error } from '@blip2/interfaces';

import type { Activation } from '../schema/activation.ts';
import { requireWholeHeads } from '../schema/config-rules.ts';
import { type ConfigFormat, defineConfig } from '../schema/define-config.ts';
import type { FieldTable } from '../schema/field-table.ts';
import {
  activation,
  count,
  deviation,
  epsilon,
  flag,
  optional,
  positive,
  probability,
  tokenId,
  tokenIds,
} from '../schema/field-types.ts';
import { MAX_HEADS, MAX_LAYERS, MAX_POSITIONS, MAX_VOCABULARY, MAX_WIDTH } from '../schema/limits.ts';
import { rotaryParameters, withRotaryBase } from './rotary-parameters.ts';
import type { RotaryScaling } from './rotary-scaling.ts';
import type { CommonTextFields, TextConfigMembers } from './text-config-members.ts';
import type { TextFamily } from './text-family.ts';

interface LlamaFields extends CommonTextFields {
  readonly hiddenSize: number;
  readonly intermediateSize: number;
  readonly numHiddenLayers: number;
  readonly numAttentionHeads: number;
  /**
   * Heads of keys and values, each shared by `numAttentionHeads / numKeyValueHeads` query heads. Default:
   * `numAttentionHeads`.
   */
  readonly numKeyValueHeads: number;
  /** Default: `hiddenSize / numAttentionHeads`. */
  readonly headDim: number;
  readonly hiddenAct: Activation;
  readonly maxPositionEmbeddings: number;
  /** Base of the rotary frequencies; stored in `rope_parameters` since transformers 5. */
  readonly ropeTheta: number;
  readonly rmsNormEps: number;
  readonly attentionBias: boolean;
  readonly mlpBias: boolean;
  readonly attentionDropout: number;
  readonly initializerRange: number;
  readonly useCache: boolean;
  readonly tieWordEmbeddings: boolean;
}

/** A decoder-only language model of the Llama architecture (HF `LlamaConfig`), such as Vicuna. */
export interface LlamaConfig extends LlamaFields, TextConfigMembers {
  readonly modelType: 'llama';
  readonly isEncoderDecoder: false;
  /** Scaling of the rotary frequencies, if any. Stored as `rope_scaling` or `rope_parameters` in `json`. */
  readonly ropeScaling: RotaryScaling | undefined;
}

type StoredFields = Omit<LlamaFields, 'numKeyValueHeads' | 'headDim'> & {
  readonly numKeyValueHeads: number | undefined;
  readonly headDim: number | undefined;
};

/**
 * Names on disk, defaults and bounds. Source: `models/llama/configuration_llama.py`, transformers 5.18; `rope_theta`:
 * 4.57.
 */
const fields: FieldTable<StoredFields> = {
  vocabSize: count('vocab_size', 32000, MAX_VOCABULARY),
  hiddenSize: count('hidden_size', 4096, MAX_WIDTH),
  intermediateSize: count('intermediate_size', 11008, MAX_WIDTH),
  numHiddenLayers: count('num_hidden_layers', 32, MAX_LAYERS),
  numAttentionHeads: count('num_attention_heads', 32, MAX_HEADS),
  numKeyValueHeads: optional(count('num_key_value_heads', 32, MAX_HEADS)),
  headDim: optional(count('head_dim', 128, MAX_WIDTH)),
  hiddenAct: activation('hidden_act', 'silu'),
  maxPositionEmbeddings: count('max_position_embeddings', 2048, MAX_POSITIONS),
  ropeTheta: positive('rope_theta', 10000),
  rmsNormEps: epsilon('rms_norm_eps', 1e-6),
  attentionBias: flag('attention_bias', false),
  mlpBias: flag('mlp_bias', false),
  attentionDropout: probability('attention_dropout', 0),
  initializerRange: deviation('initializer_range', 0.02),
  useCache: flag('use_cache', true),
  tieWordEmbeddings: flag('tie_word_embeddings', false),
  bosTokenId: tokenId('bos_token_id', 1),
  eosTokenId: tokenIds('eos_token_id', 2),
  padTokenId: tokenId('pad_token_id', undefined),
  outputHiddenStates: flag('output_hidden_states', false),
  outputAttentions: flag('output_attentions', false),
};

function requireRotaryHeads(
  { hiddenSize, numAttentionHeads, numKeyValueHeads, headDim }: Omit<LlamaConfig, 'modelType' | 'json'>,
  where: string,
): void {
  if (numAttentionHeads % numKeyValueHeads !== 0) {
    throw new Blip2Error('INVALID_CONFIG', 'num_attention_heads must be a multiple of num_key_value_heads', {
      expected: `a multiple of ${numKeyValueHeads}`,
      got: String(numAttentionHeads),
      where,
    });
  }
  if (headDim % 2 !== 0)
    throw new Blip2Error('INVALID_CONFIG', 'head_dim must be even for rotary position embeddings', {
      expected: 'an even number',
      got: `${headDim} (hidden_size ${hiddenSize}, ${numAttentionHeads} heads)`,
      where,
    });
}

/** Rotary scalings other than `linear` and `llama3` throw `UNSUPPORTED_ARCHITECTURE`. */
export const LlamaConfig: ConfigFormat<LlamaConfig> = defineConfig<LlamaConfig, StoredFields>({
  modelType: 'llama',
  key: 'text_config',
  fields,
  derived: ['isEncoderDecoder', 'ropeScaling'],
  derive(stored, { json, where }) {
    requireWholeHeads(stored.hiddenSize, stored.numAttentionHeads, where);
    const { base, scaling } = rotaryParameters(json, where, stored.maxPositionEmbeddings);
    return {
      ...stored,
      isEncoderDecoder: false,
      ropeTheta: base ?? stored.ropeTheta,
      ropeScaling: scaling,
      numKeyValueHeads: stored.numKeyValueHeads ?? stored.numAttentionHeads,
      headDim: stored.headDim ?? stored.hiddenSize / stored.numAttentionHeads,
    };
  },
  check: requireRotaryHeads,
  storedOverrides(overrides, base) {
    if (overrides.ropeScaling === undefined || isDeepStrictEqual(overrides.ropeScaling, base.ropeScaling))
      return overrides;
    throw new Blip2Error('INVALID_ARGUMENT', 'ropeScaling can only be set in json', {
      argument: 'ropeScaling',
      fix: 'Pass json: { rope_scaling: { rope_type, factor, … } }',
    });
  },
  // If the file stores the rotary base in `rope_parameters`, it is written there.
  place: (written, json, { ropeTheta }) => withRotaryBase(written, json, ropeTheta),
});

export const llamaFamily: TextFamily<LlamaConfig> = {
  format: LlamaConfig,
  sizes: ({ numHiddenLayers: layers, maxPositionEmbeddings: maxPositions, tieWordEmbeddings: hasTiedHead }) => ({
    layers,
    maxPositions,
    hasTiedHead,
  }),
  licences: [
    {
      // Card of Salesforce/instructblip-vicuna-7b; lm-sys/FastChat.
      repositories: /vicuna/i,
      note:
        'The Vicuna language model inside comes under the terms of LLaMA, ' +
        'and the model is intended for research only',
    },
  ],
};
