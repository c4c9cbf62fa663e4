import { defined, type SpecialTokens } from '@blip2/interfaces';

import type { ToJsonOptions } from '../schema/field-table.ts';
import { frozenObject, ownValue } from '../schema/json-values.ts';
import { subConfig } from '../schema/sub-config.ts';
import type { TextConfigMembers } from './text-config-members.ts';
import { textFamily, textModelTypes } from './text-families.ts';

/** The configuration of a language model of any family. `modelType` selects the family. */
export type TextConfig = TextConfigMembers;

function fromJson(json: unknown, where = 'config.json'): TextConfig {
  const own = subConfig(frozenObject(json, where), 'text_config', where);
  const modelType = ownValue(own.json, 'model_type') ?? textModelTypes()[0];
  return textFamily(modelType, `${own.where}.model_type`).format.fromJson(own.json, own.where);
}

function toJson(config: TextConfig, options?: ToJsonOptions): Record<string, unknown> {
  const { modelType } = config;
  const json = textFamily(modelType).format.toJson(config, options);
  return modelType === textModelTypes()[0] ? json : { model_type: modelType, ...json };
}

function specialTokens(config: TextConfig): SpecialTokens {
  const { bosTokenId, eosTokenId, padTokenId } = config;
  const decoderStartTokenId = textFamily(config.modelType).decoderStartTokenId?.(config);
  return defined({ bosTokenId, eosTokenId, padTokenId, decoderStartTokenId });
}

export const TextConfig: {
  /**
   * Reads the configuration of a language model by its `model_type` (`opt` if absent), or the `text_config` of a full
   * model.
   * @throws Blip2Error `INVALID_CONFIG` or `UNSUPPORTED_ARCHITECTURE`.
   */
  readonly fromJson: typeof fromJson;
  /** The JSON that was read, with changed fields written. Fields with default values stay absent unless `full`. */
  readonly toJson: typeof toJson;
  /** The token ids that generation uses by default: those of the configuration, or of the model type. */
  readonly specialTokens: typeof specialTokens;
} = { fromJson, toJson, specialTokens };
