import { defineModelConfig, type ModelConfigParts, type ModelFields } from './define-model-config.ts';
import type { ConfigFormat } from './schema/define-config.ts';
import type { FieldTable } from './schema/field-table.ts';
import { count, deviation, flag, tokenId } from './schema/field-types.ts';
import { MAX_QUERY_TOKENS } from './schema/limits.ts';

/**
 * A full InstructBLIP model (HF `InstructBlipConfig`; arXiv 2305.06500): BLIP-2 with a Q-Former that also attends to
 * the instruction.
 */
export interface InstructBlipConfig extends ModelFields, ModelConfigParts {
  readonly modelType: 'instructblip';
}

/**
 * Names on disk, defaults and bounds. Source: `models/instructblip/configuration_instructblip.py`, transformers 5.18.
 */
const fields: FieldTable<ModelFields> = {
  numQueryTokens: count('num_query_tokens', 32, MAX_QUERY_TOKENS),
  imageTokenIndex: tokenId('image_token_index', undefined, ['image_token_id']),
  initializerFactor: deviation('initializer_factor', 1),
  initializerRange: deviation('initializer_range', 0.02),
  outputHiddenStates: flag('output_hidden_states', false),
  outputAttentions: flag('output_attentions', false),
};

export const InstructBlipConfig: ConfigFormat<InstructBlipConfig> = defineModelConfig<InstructBlipConfig, ModelFields>({
  modelType: 'instructblip',
  fields,
  partTypes: { vision: 'instructblip_vision_model', qformer: 'instructblip_qformer' },
});
