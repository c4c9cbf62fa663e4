import { Blip2Error } from '@blip2/interfaces';

import type { Activation } from '../schema/activation.ts';
import { requireWholeHeads } from '../schema/config-rules.ts';
import {
  type FieldTable,
  readFields,
  requireKnownFields,
  type ToJsonOptions,
  writeFields,
} from '../schema/field-table.ts';
import { activation, count, deviation, epsilon, flag, probability } from '../schema/field-types.ts';
import { frozenObject, type JsonObject } from '../schema/json-values.ts';
import { MAX_HEADS, MAX_IMAGE_SIZE, MAX_LAYERS, MAX_WIDTH } from '../schema/limits.ts';
import { familyType, partOf, requireModelType } from '../schema/sub-config.ts';

interface VisionFields {
  readonly hiddenSize: number;
  readonly intermediateSize: number;
  readonly numHiddenLayers: number;
  readonly numAttentionHeads: number;
  /** Height and width, in pixels. */
  readonly imageSize: number;
  /** Height and width of a patch, in pixels. */
  readonly patchSize: number;
  readonly hiddenAct: Activation;
  readonly layerNormEps: number;
  readonly attentionDropout: number;
  readonly initializerRange: number;
  readonly qkvBias: boolean;
  readonly outputHiddenStates: boolean;
  readonly outputAttentions: boolean;
}

/** The vision encoder of BLIP-2 (`Blip2VisionConfig` of the reference): a ViT-g/14 by default. */
export interface Blip2VisionConfig extends VisionFields {
  /** InstructBLIP's is the same but for its name. */
  readonly modelType: 'blip_2_vision_model' | 'instructblip_vision_model';
  /** The JSON that it was read from; `toJson` keeps what is unknown here. */
  readonly json: JsonObject;
}

/** Names on disk, defaults and bounds. Source: `models/blip_2/configuration_blip_2.py`, transformers 5.18. */
const fields: FieldTable<VisionFields> = {
  hiddenSize: count('hidden_size', 1408, MAX_WIDTH),
  intermediateSize: count('intermediate_size', 6144, MAX_WIDTH),
  numHiddenLayers: count('num_hidden_layers', 39, MAX_LAYERS),
  numAttentionHeads: count('num_attention_heads', 16, MAX_HEADS),
  imageSize: count('image_size', 224, MAX_IMAGE_SIZE),
  patchSize: count('patch_size', 14, MAX_IMAGE_SIZE),
  hiddenAct: activation('hidden_act', 'gelu'),
  layerNormEps: epsilon('layer_norm_eps', 1e-6),
  attentionDropout: probability('attention_dropout', 0),
  initializerRange: deviation('initializer_range', 1e-10),
  qkvBias: flag('qkv_bias', true),
  outputHiddenStates: flag('output_hidden_states', false),
  outputAttentions: flag('output_attentions', false),
};

const MODEL_TYPE = 'blip_2_vision_model';
const INSTRUCTBLIP_TYPE = 'instructblip_vision_model';

function read(json: JsonObject, where: string): VisionFields {
  const values = readFields(fields, json, where);
  requireWholeHeads(values.hiddenSize, values.numAttentionHeads, where);
  if (values.imageSize < values.patchSize) {
    throw new Blip2Error('INVALID_CONFIG', 'An image is smaller than one patch', {
      expected: 'image_size of at least patch_size',
      got: `${values.imageSize} < ${values.patchSize}`,
      where,
    });
  }
  return values;
}

function fromJson(json: unknown, where = 'config.json'): Blip2VisionConfig {
  const given = frozenObject(json, where);
  const own = partOf(given, 'vision_config', where);
  requireModelType(own.json, [MODEL_TYPE, INSTRUCTBLIP_TYPE], own.where);
  return Object.freeze({
    modelType: familyType<Blip2VisionConfig['modelType']>(own.json, given, MODEL_TYPE, INSTRUCTBLIP_TYPE),
    ...read(own.json, own.where),
    json: own.json,
  });
}

function toJson(config: Blip2VisionConfig, options?: ToJsonOptions): Record<string, unknown> {
  return {
    ...(options?.full && { model_type: config.modelType }),
    ...writeFields<VisionFields>(fields, config, config.json, (json) => read(json, MODEL_TYPE), options),
  };
}

function create(overrides: Partial<Blip2VisionConfig> = {}): Blip2VisionConfig {
  requireKnownFields(fields, overrides, ['modelType', 'json'], MODEL_TYPE);
  const base = fromJson({ model_type: overrides.modelType ?? MODEL_TYPE, ...overrides.json }, MODEL_TYPE);
  return fromJson(
    writeFields<VisionFields>(fields, overrides, base.json, (json) => read(json, MODEL_TYPE)),
    MODEL_TYPE,
  );
}

export const Blip2VisionConfig: {
  /**
   * Reads a vision configuration, or the `vision_config` of a whole BLIP-2 configuration. Absent fields have the
   * reference's defaults, unknown ones are kept for
   * `toJson`. Fails with `INVALID_CONFIG` or `UNSUPPORTED_ARCHITECTURE`.
   */
  readonly fromJson: typeof fromJson;
  /** The JSON that was read, with the fields that differ from it written; absent defaults stay absent unless `full`. */
  readonly toJson: typeof toJson;
  /** The reference's defaults, or those of `overrides.json`, with some fields replaced. */
  readonly create: typeof create;
} = { fromJson, toJson, create };
