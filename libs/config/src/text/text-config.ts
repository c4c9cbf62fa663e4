import type { SpecialTokens } from '@blip2/interfaces';

import type { ToJsonOptions } from '../schema/field-table.ts';
import { frozenObject, ownValue } from '../schema/json-values.ts';
import { partOf, requireModelType } from '../schema/sub-config.ts';
import { LlamaConfig } from './llama-config.ts';
import { OptConfig } from './opt-config.ts';
import { T5Config } from './t5-config.ts';

/** The language models that a configuration may name, told apart by `modelType`. */
export type TextConfig = OptConfig | T5Config | LlamaConfig;

/** The first is what the reference takes a text configuration for that does not say its type. */
const MODEL_TYPES = ['opt', 't5', 'llama'] as const satisfies readonly TextConfig['modelType'][];

function fromJson(json: unknown, where = 'config.json'): TextConfig {
  const own = partOf(frozenObject(json, where), 'text_config', where);
  requireModelType(own.json, MODEL_TYPES, own.where);
  switch (ownValue(own.json, 'model_type')) {
    case 't5':
      return T5Config.fromJson(own.json, own.where);
    case 'llama':
      return LlamaConfig.fromJson(own.json, own.where);
    default:
      return OptConfig.fromJson(own.json, own.where);
  }
}

function toJson(config: TextConfig, options?: ToJsonOptions): Record<string, unknown> {
  switch (config.modelType) {
    case 't5':
      return { model_type: config.modelType, ...T5Config.toJson(config, options) };
    case 'llama':
      return { model_type: config.modelType, ...LlamaConfig.toJson(config, options) };
    case 'opt':
      return OptConfig.toJson(config, options);
  }
}

function specialTokens(config: TextConfig): SpecialTokens {
  // A decoder without a start token of its own begins with the beginning-of-sequence token
  // (`_get_decoder_start_token_id`).
  const decoderStartTokenId = config.modelType === 't5' ? (config.decoderStartTokenId ?? config.bosTokenId) : undefined;
  return {
    ...(config.bosTokenId !== undefined && { bosTokenId: config.bosTokenId }),
    ...(config.eosTokenId !== undefined && { eosTokenId: config.eosTokenId }),
    ...(config.padTokenId !== undefined && { padTokenId: config.padTokenId }),
    ...(decoderStartTokenId !== undefined && { decoderStartTokenId }),
  };
}

export const TextConfig: {
  /** The values of `model_type` that are supported, the default first. */
  readonly modelTypes: readonly ['opt', 't5', 'llama'];
  /**
   * Reads a language model's configuration by its `model_type` (`opt` if absent), or the `text_config` of a whole
   * BLIP-2 configuration. Fails with `INVALID_CONFIG` or `UNSUPPORTED_ARCHITECTURE`.
   */
  readonly fromJson: typeof fromJson;
  /** The JSON that was read, with the fields that differ from it written; absent defaults stay absent unless `full`. */
  readonly toJson: typeof toJson;
  /**
   * The token ids that generation uses by default: those of the configuration, and the model type's where it names
   * none.
   */
  readonly specialTokens: typeof specialTokens;
} = { modelTypes: MODEL_TYPES, fromJson, toJson, specialTokens };
