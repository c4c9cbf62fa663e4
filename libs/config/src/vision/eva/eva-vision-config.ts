import { Blip2Error } from '@blip2/interfaces';

import type { Activation } from '../../schema/activation.ts';
import { requirePatches } from '../../schema/config-rules.ts';
import { type ConfigFormat, defineConfig } from '../../schema/define-config.ts';
import type { FieldTable } from '../../schema/field-table.ts';
import { count, finite, flag, oneOf, optional, positive } from '../../schema/field-types.ts';
import { frozenObject } from '../../schema/json-values.ts';
import { MAX_CHANNELS, MAX_HEADS, MAX_IMAGE_SIZE, MAX_LAYERS, MAX_WIDTH } from '../../schema/limits.ts';
import type { VisionConfigFamily, VisionConfigMembers } from '../vision-family.ts';
import { flatArguments, nestedArguments } from './timm-model.ts';

/** What EVA computes from its final hidden states: the mean over the patches, or the class position. */
export type EvaPooling = 'avg' | 'token';

interface EvaFields extends Omit<VisionConfigMembers, 'modelType' | 'json'> {
  readonly numHiddenLayers: number;
  readonly numAttentionHeads: number;
  /** Width of the feed-forward layers divided by `hiddenSize`. */
  readonly mlpRatio: number;
  readonly numChannels: number;
  readonly qkvBias: boolean;
  readonly globalPool: EvaPooling;
  /** Initial value of the layer scales, if the blocks have them. */
  readonly initValues: number | undefined;
}

/** The vision encoder of EVA-CLIP (class `Eva` of timm without the parts of EVA-02), a ViT-g/14 by default. */
export interface EvaVisionConfig extends EvaFields, VisionConfigMembers {
  readonly modelType: 'eva';
  readonly intermediateSize: number;
  readonly hiddenAct: Activation;
  readonly layerNormEps: number;
  /** Whether the hidden states of the last layer are normed. */
  readonly hasFinalNorm: boolean;
  /** Whether the pooled state is normed. */
  readonly hasPoolNorm: boolean;
}

type StoredFields = EvaFields & { readonly useFcNorm: boolean | undefined; readonly usePostNorm: boolean | undefined };

/** Arguments of timm's class `Eva` and their bounds. Source: `timm/models/eva.py`, timm 1.0.29. */
const fields: FieldTable<StoredFields> = {
  hiddenSize: count('embed_dim', 1408, MAX_WIDTH),
  numHiddenLayers: count('depth', 40, MAX_LAYERS),
  numAttentionHeads: count('num_heads', 16, MAX_HEADS),
  mlpRatio: positive('mlp_ratio', 6144 / 1408),
  numChannels: count('in_chans', 3, MAX_CHANNELS),
  imageSize: count('img_size', 224, MAX_IMAGE_SIZE),
  patchSize: count('patch_size', 14, MAX_IMAGE_SIZE),
  qkvBias: flag('qkv_bias', true),
  globalPool: oneOf('global_pool', 'avg', ['avg', 'token']),
  initValues: optional(finite('init_values', 0)),
  useFcNorm: optional(flag('use_fc_norm', true)),
  usePostNorm: optional(flag('use_post_transformer_norm', true)),
  outputHiddenStates: flag('output_hidden_states', false),
  outputAttentions: flag('output_attentions', false),
};

const flat: ConfigFormat<EvaVisionConfig> = defineConfig<EvaVisionConfig, StoredFields>({
  modelType: 'eva',
  key: 'vision_config',
  fullModelTypes: [],
  fields,
  derived: ['intermediateSize', 'hiddenAct', 'layerNormEps', 'hasFinalNorm', 'hasPoolNorm'],
  derive({ useFcNorm, usePostNorm, ...stored }) {
    const hasPoolNorm = useFcNorm ?? stored.globalPool === 'avg';
    return {
      ...stored,
      intermediateSize: Math.trunc(stored.hiddenSize * stored.mlpRatio),
      // The class has no arguments for these.
      hiddenAct: 'gelu',
      layerNormEps: 1e-6,
      hasPoolNorm,
      hasFinalNorm: usePostNorm ?? !hasPoolNorm,
    };
  },
  check(config, where) {
    requirePatches(config, where);
    const { intermediateSize } = config;
    if (intermediateSize >= 1 && intermediateSize <= MAX_WIDTH) return;
    throw new Blip2Error('INVALID_CONFIG', 'mlp_ratio has an invalid value', {
      expected: `a width of 1 to ${MAX_WIDTH}`,
      got: String(intermediateSize),
      where: `${where}.mlp_ratio`,
    });
  },
});

export const EvaVisionConfig: ConfigFormat<EvaVisionConfig> = {
  fromJson: (json, where = 'config.json') => flat.fromJson(flatArguments(frozenObject(json, where), where), where),
  toJson: (config, options) => nestedArguments(flat.toJson(config, options)),
  create: ({ json = {}, ...overrides } = {}) =>
    flat.create({ ...overrides, json: flatArguments(frozenObject(json, 'eva'), 'eva') }),
};

export const evaVisionFamily: VisionConfigFamily<EvaVisionConfig> = { format: EvaVisionConfig, fullModelTypes: [] };
