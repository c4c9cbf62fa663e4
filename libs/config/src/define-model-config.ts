import { mustBe } from '@blip2/interfaces';

import { Blip2QFormerConfig } from './qformer-config.ts';
import type { ConfigFormat, PartConfig } from './schema/define-config.ts';
import {
  type FieldTable,
  readFields,
  requireKnownFields,
  type ToJsonOptions,
  writeFields,
} from './schema/field-table.ts';
import { frozenObject, type JsonObject, ownValue } from './schema/json-values.ts';
import { requireModelType } from './schema/sub-config.ts';
import { TextConfig } from './text/text-config.ts';
import { textModelTypes } from './text/text-families.ts';
import { Blip2VisionConfig } from './vision/blip2-vision-config.ts';
import { VisionConfig, visionConfigFamily } from './vision/vision-families.ts';

/** Fields that the configurations of all full models store. */
export interface ModelFields {
  readonly numQueryTokens: number;
  /** The id of one position of the visual prefix; undefined in legacy checkpoints and retrieval models. */
  readonly imageTokenIndex: number | undefined;
  readonly initializerFactor: number;
  readonly initializerRange: number;
  readonly outputHiddenStates: boolean;
  readonly outputAttentions: boolean;
}

/** The parts of a full model, and what derives from them. */
export interface ModelConfigParts extends PartConfig {
  /** Of BLIP-2's own encoder, or of any other family. */
  readonly visionConfig: VisionConfig;
  /** Its `encoderHiddenSize` is always the width of the vision encoder. */
  readonly qformerConfig: Blip2QFormerConfig;
  readonly textConfig: TextConfig;
  /** Derived from the language model. */
  readonly useDecoderOnlyLanguageModel: boolean;
  /** Derived from the language model. */
  readonly isEncoderDecoder: boolean;
}

const NOT_FIELDS: readonly (keyof ModelConfigParts)[] = [
  'modelType',
  'visionConfig',
  'qformerConfig',
  'textConfig',
  'useDecoderOnlyLanguageModel',
  'isEncoderDecoder',
  'json',
];

export interface ModelConfigDefinition<C extends ModelConfigParts, Fields extends object> {
  readonly modelType: C['modelType'];
  /** Names on disk, defaults and bounds of the fields that do not belong to a part. */
  readonly fields: FieldTable<Fields>;
  /** `model_type` that parts of other full models are written with. Default: their own. */
  readonly partTypes?: {
    readonly vision: Blip2VisionConfig['modelType'];
    readonly qformer: Blip2QFormerConfig['modelType'];
  };
}

/** Defines how the configuration of a full model is read, written and created. */
export function defineModelConfig<C extends ModelConfigParts & Fields, Fields extends object>({
  modelType,
  fields,
  partTypes,
}: ModelConfigDefinition<C, Fields>): ConfigFormat<C> {
  const fromJson = (json: unknown, where = 'config.json'): C => {
    const given = frozenObject(json, where);
    requireModelType(given, [modelType], where);
    // A hand-written config may omit `model_type`. Set it, so that the parts know that they belong to a full model.
    const full = { ...given, model_type: modelType };
    const textConfig = TextConfig.fromJson(full, where);
    const config: ModelConfigParts & Fields = {
      ...readFields(fields, given, where),
      modelType,
      visionConfig: VisionConfig.fromJson(full, where),
      qformerConfig: Blip2QFormerConfig.fromJson(full, where),
      textConfig,
      useDecoderOnlyLanguageModel: !textConfig.isEncoderDecoder,
      isEncoderDecoder: textConfig.isEncoderDecoder,
      json: given,
    };
    // `C` has these members and no others.
    return Object.freeze(config) as C;
  };
  /** `json` with the changed fields and parts of `values` written. */
  const write = (json: JsonObject, values: Partial<C>, options: ToJsonOptions): Record<string, unknown> => {
    const { visionConfig: vision, qformerConfig: qformer, textConfig: text } = values;
    return {
      ...writeFields(fields, values, json, (other) => readFields(fields, other, modelType), options),
      ...(vision &&
        writePart(
          isBlip2Encoder(vision)
            ? { key: 'vision_config', type: partTypes?.vision, defaultType: vision.modelType }
            : { key: 'vision_config', type: undefined, defaultType: undefined },
          writeVision(vision, options),
          json,
        )),
      ...(qformer &&
        writePart(
          { key: 'qformer_config', type: partTypes?.qformer, defaultType: qformer.modelType },
          writeQFormer(qformer, vision, options),
          json,
        )),
      ...(text &&
        writePart(
          { key: 'text_config', type: undefined, defaultType: textModelTypes()[0] },
          TextConfig.toJson(text, options),
          json,
        )),
    };
  };
  return {
    fromJson,
    toJson: (config, options = {}) => ({
      ...(options.full && { model_type: modelType }),
      ...write(config.json, config, options),
      ...derivedFlags(config, options),
    }),
    create(overrides = {}) {
      requireKnownFields(fields, overrides, NOT_FIELDS, modelType);
      for (const name of ['visionConfig', 'qformerConfig', 'textConfig'] as const) requirePart(name, overrides[name]);
      const base = fromJson({ model_type: modelType, ...overrides.json }, modelType);
      return fromJson(write(base.json, overrides, {}), modelType);
    },
  };
}

/** @throws Blip2Error `INVALID_ARGUMENT` for a part that is no configuration. */
function requirePart(name: string, part: unknown): void {
  if (part === undefined || (typeof part === 'object' && part !== null && 'modelType' in part && 'json' in part))
    return;
  throw mustBe(name, 'a configuration of its class, as its create and fromJson return', part);
}

function isBlip2Encoder({ modelType }: VisionConfig): boolean {
  return visionConfigFamily(modelType).format.fromJson === Blip2VisionConfig.fromJson;
}

/** The stored fields of the encoder, with its type unless it is the default. */
function writeVision(config: VisionConfig, options: ToJsonOptions): Record<string, unknown> {
  const json = VisionConfig.toJson(config, options);
  return isBlip2Encoder(config) ? json : { model_type: config.modelType, ...json };
}

/** The stored fields of the Q-Former, without the width that was derived from the vision encoder. */
function writeQFormer(
  config: Blip2QFormerConfig,
  vision: VisionConfig | undefined,
  options: ToJsonOptions,
): Record<string, unknown> {
  if (options.full || config.encoderHiddenSize !== vision?.hiddenSize)
    return Blip2QFormerConfig.toJson(config, options);
  const { encoderHiddenSize } = Blip2QFormerConfig.fromJson(config.json);
  return Blip2QFormerConfig.toJson({ ...config, encoderHiddenSize }, options);
}

interface WrittenPart {
  readonly key: string;
  /** `model_type` to write, if it is not that of the part. */
  readonly type: string | undefined;
  readonly defaultType: string | undefined;
}

/** A part under its key. A part that is absent from `json` and has nothing but its default type stays absent. */
function writePart(
  { key, type, defaultType }: WrittenPart,
  part: Record<string, unknown>,
  json: JsonObject,
): Record<string, unknown> {
  const named = type !== undefined && Object.hasOwn(part, 'model_type') ? { ...part, model_type: type } : part;
  const isDefault = Object.entries(named).every(
    ([name, value]) => name === 'model_type' && value === (type ?? defaultType),
  );
  return isDefault && (ownValue(json, key) ?? null) === null ? {} : { [key]: named };
}

/** Fields that derive from the language model, for files that have them. */
function derivedFlags(
  { textConfig: { isEncoderDecoder }, json }: Pick<ModelConfigParts, 'textConfig' | 'json'>,
  options: ToJsonOptions,
): Record<string, boolean> {
  const derived = [
    ['use_decoder_only_language_model', !isEncoderDecoder],
    ['is_encoder_decoder', isEncoderDecoder],
  ] as const;
  return Object.fromEntries(derived.filter(([key]) => options.full || Object.hasOwn(json, key)));
}
