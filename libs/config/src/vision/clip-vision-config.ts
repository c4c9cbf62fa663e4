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
import { MAX_CHANNELS, MAX_HEADS, MAX_IMAGE_SIZE, MAX_LAYERS, MAX_WIDTH } from '../schema/limits.ts';
import { partOf, requireModelType } from '../schema/sub-config.ts';

interface ClipVisionFields {
  readonly hiddenSize: number;
  readonly intermediateSize: number;
  /** Width that CLIP's own projection has, which the encoder leaves out. */
  readonly projectionDim: number;
  readonly numHiddenLayers: number;
  readonly numAttentionHeads: number;
  readonly numChannels: number;
  /** Height and width, in pixels. */
  readonly imageSize: number;
  /** Height and width of a patch, in pixels. */
  readonly patchSize: number;
  readonly hiddenAct: Activation;
  readonly layerNormEps: number;
  readonly attentionDropout: number;
  readonly initializerRange: number;
  readonly initializerFactor: number;
  readonly outputHiddenStates: boolean;
  readonly outputAttentions: boolean;
}

/** The vision encoder of CLIP (`CLIPVisionConfig` of the reference): a ViT-B/32 by default. */
export interface ClipVisionConfig extends ClipVisionFields {
  readonly modelType: 'clip_vision_model';
  /** The JSON that it was read from; `toJson` keeps what is unknown here. */
  readonly json: JsonObject;
}

/** Names on disk, defaults and bounds. Source: `models/clip/configuration_clip.py`, transformers 5.18. */
const fields: FieldTable<ClipVisionFields> = {
  hiddenSize: count('hidden_size', 768, MAX_WIDTH),
  intermediateSize: count('intermediate_size', 3072, MAX_WIDTH),
  projectionDim: count('projection_dim', 512, MAX_WIDTH),
  numHiddenLayers: count('num_hidden_layers', 12, MAX_LAYERS),
  numAttentionHeads: count('num_attention_heads', 12, MAX_HEADS),
  numChannels: count('num_channels', 3, MAX_CHANNELS),
  imageSize: count('image_size', 224, MAX_IMAGE_SIZE),
  patchSize: count('patch_size', 32, MAX_IMAGE_SIZE),
  hiddenAct: activation('hidden_act', 'quick_gelu'),
  layerNormEps: epsilon('layer_norm_eps', 1e-5),
  attentionDropout: probability('attention_dropout', 0),
  initializerRange: deviation('initializer_range', 0.02),
  initializerFactor: deviation('initializer_factor', 1),
  outputHiddenStates: flag('output_hidden_states', false),
  outputAttentions: flag('output_attentions', false),
};

const MODEL_TYPE = 'clip_vision_model';
/** `model_type` of a whole CLIP model, text encoder included. */
const WHOLE_MODEL_TYPES: readonly string[] = ['clip'];

function read(json: JsonObject, where: string): ClipVisionFields {
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

function fromJson(json: unknown, where = 'config.json'): ClipVisionConfig {
  const own = partOf(frozenObject(json, where), 'vision_config', where, WHOLE_MODEL_TYPES);
  requireModelType(own.json, [MODEL_TYPE], own.where);
  return Object.freeze({ modelType: MODEL_TYPE, ...read(own.json, own.where), json: own.json });
}

function toJson(config: ClipVisionConfig, options?: ToJsonOptions): Record<string, unknown> {
  return {
    ...(options?.full && { model_type: MODEL_TYPE }),
    ...writeFields<ClipVisionFields>(fields, config, config.json, (json) => read(json, MODEL_TYPE), options),
  };
}

function create(overrides: Partial<ClipVisionConfig> = {}): ClipVisionConfig {
  requireKnownFields(fields, overrides, ['modelType', 'json'], MODEL_TYPE);
  const base = fromJson({ model_type: MODEL_TYPE, ...overrides.json }, MODEL_TYPE);
  return fromJson(
    writeFields<ClipVisionFields>(fields, overrides, base.json, (json) => read(json, MODEL_TYPE)),
    MODEL_TYPE,
  );
}

export const ClipVisionConfig: {
  /**
   * Reads the configuration of a CLIP vision encoder, or the `vision_config` of a whole CLIP configuration. Fails with
   * `INVALID_CONFIG` or `UNSUPPORTED_ARCHITECTURE`.
   */
  readonly fromJson: typeof fromJson;
  /** The JSON that was read, with the fields that differ from it written; absent defaults stay absent unless `full`. */
  readonly toJson: typeof toJson;
  /** The reference's defaults, or those of `overrides.json`, with some fields replaced. */
  readonly create: typeof create;
} = { fromJson, toJson, create };
