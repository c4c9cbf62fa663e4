import { Blip2QFormerConfig } from './qformer-config.ts';
import {
  type FieldTable,
  readFields,
  requireKnownFields,
  type ToJsonOptions,
  writeFields,
} from './schema/field-table.ts';
import { count, deviation, flag, tokenId } from './schema/field-types.ts';
import { frozenObject, type JsonObject } from './schema/json-values.ts';
import { MAX_QUERY_TOKENS } from './schema/limits.ts';
import { INSTRUCTBLIP_MODEL_TYPE, requireModelType } from './schema/sub-config.ts';
import { TextConfig } from './text/text-config.ts';
import { Blip2VisionConfig } from './vision/blip2-vision-config.ts';
import { derivedFlags, writePart, writeQFormer } from './write-sub-configs.ts';

interface TopFields {
  readonly numQueryTokens: number;
  /** The id that stands for a position of the visual prefix; undefined in repositories of 2023. */
  readonly imageTokenIndex: number | undefined;
  readonly initializerFactor: number;
  readonly initializerRange: number;
  readonly outputHiddenStates: boolean;
  readonly outputAttentions: boolean;
}

/**
 * A whole InstructBLIP model (`InstructBlipConfig` of the reference; arXiv 2305.06500): BLIP-2 whose Q-Former also
 * reads the instruction.
 */
export interface InstructBlipConfig extends TopFields {
  readonly modelType: 'instructblip';
  readonly visionConfig: Blip2VisionConfig;
  /** Its `encoderHiddenSize` is the vision encoder's width, always. */
  readonly qformerConfig: Blip2QFormerConfig;
  readonly textConfig: TextConfig;
  /** Derived from the language model. */
  readonly useDecoderOnlyLanguageModel: boolean;
  /** Derived from the language model. */
  readonly isEncoderDecoder: boolean;
  /** The JSON that it was read from; `toJson` keeps what is unknown here. */
  readonly json: JsonObject;
}

/**
 * Names on disk, defaults and bounds. Source: `models/instructblip/configuration_instructblip.py`, transformers 5.18.
 */
const fields: FieldTable<TopFields> = {
  numQueryTokens: count('num_query_tokens', 32, MAX_QUERY_TOKENS),
  imageTokenIndex: tokenId('image_token_index', undefined, ['image_token_id']),
  initializerFactor: deviation('initializer_factor', 1),
  initializerRange: deviation('initializer_range', 0.02),
  outputHiddenStates: flag('output_hidden_states', false),
  outputAttentions: flag('output_attentions', false),
};

const NOT_FIELDS = [
  'modelType',
  'visionConfig',
  'qformerConfig',
  'textConfig',
  'useDecoderOnlyLanguageModel',
  'isEncoderDecoder',
  'json',
] as const;

function fromJson(json: unknown, where = 'config.json'): InstructBlipConfig {
  const given = frozenObject(json, where);
  requireModelType(given, [INSTRUCTBLIP_MODEL_TYPE], where);
  // An absent type is a file of hand; saying it makes the parts recognise the whole.
  const whole = { ...given, model_type: INSTRUCTBLIP_MODEL_TYPE };
  const textConfig = TextConfig.fromJson(whole, where);
  return Object.freeze({
    modelType: INSTRUCTBLIP_MODEL_TYPE,
    visionConfig: Blip2VisionConfig.fromJson(whole, where),
    qformerConfig: Blip2QFormerConfig.fromJson(whole, where),
    textConfig,
    ...readFields(fields, given, where),
    useDecoderOnlyLanguageModel: !textConfig.isEncoderDecoder,
    isEncoderDecoder: textConfig.isEncoderDecoder,
    json: given,
  });
}

const VISION_MODEL_TYPE = 'instructblip_vision_model';
const QFORMER_MODEL_TYPE = 'instructblip_qformer';

/** A part that was made for BLIP-2 has this family's name here. */
function named(part: Record<string, unknown>, type: string): Record<string, unknown> {
  return Object.hasOwn(part, 'model_type') ? { ...part, model_type: type } : part;
}

/** `json` with those fields and parts of `values` written that it gives otherwise. */
function write(json: JsonObject, values: Partial<InstructBlipConfig>, options: ToJsonOptions): Record<string, unknown> {
  const { visionConfig: vision, qformerConfig: qformer, textConfig: text } = values;
  return Object.fromEntries([
    ...Object.entries(
      writeFields<TopFields>(fields, values, json, (top) => readFields(fields, top, INSTRUCTBLIP_MODEL_TYPE), options),
    ),
    ...(vision
      ? writePart(
          'vision_config',
          named(Blip2VisionConfig.toJson(vision, options), VISION_MODEL_TYPE),
          VISION_MODEL_TYPE,
          json,
        )
      : []),
    ...(qformer
      ? writePart(
          'qformer_config',
          named(writeQFormer(qformer, vision, options), QFORMER_MODEL_TYPE),
          QFORMER_MODEL_TYPE,
          json,
        )
      : []),
    ...(text ? writePart('text_config', TextConfig.toJson(text, options), TextConfig.modelTypes[0], json) : []),
  ]);
}

function toJson(config: InstructBlipConfig, options: ToJsonOptions = {}): Record<string, unknown> {
  return {
    ...(options.full && { model_type: INSTRUCTBLIP_MODEL_TYPE }),
    ...write(config.json, config, options),
    ...derivedFlags(config, options),
  };
}

function create(overrides: Partial<InstructBlipConfig> = {}): InstructBlipConfig {
  requireKnownFields(fields, overrides, NOT_FIELDS, INSTRUCTBLIP_MODEL_TYPE);
  const base = fromJson({ model_type: INSTRUCTBLIP_MODEL_TYPE, ...overrides.json }, INSTRUCTBLIP_MODEL_TYPE);
  return fromJson(write(base.json, overrides, {}), INSTRUCTBLIP_MODEL_TYPE);
}

export const InstructBlipConfig: {
  /**
   * Reads a whole InstructBLIP configuration. Absent parts and fields have the reference's defaults, unknown ones are
   * kept for `toJson`.
   * Fails with `INVALID_CONFIG` (the field is named) or `UNSUPPORTED_ARCHITECTURE` (another model, or a language model
   * that is not known).
   */
  readonly fromJson: typeof fromJson;
  /** The JSON that was read, with the fields that differ from it written; absent defaults stay absent unless `full`. */
  readonly toJson: typeof toJson;
  /** The reference's defaults, or those of `overrides.json`, with some fields or parts replaced. */
  readonly create: typeof create;
} = { fromJson, toJson, create };
