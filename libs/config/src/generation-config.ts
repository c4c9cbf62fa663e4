import type { GenerationOptions } from '@blip2/interfaces';

import {
  type FieldTable,
  readFields,
  requireKnownFields,
  type ToJsonOptions,
  writeFields,
} from './schema/field-table.ts';
import {
  count,
  finite,
  flag,
  flagOrNever,
  optional,
  positive,
  probability,
  tokenId,
  tokenIdList,
  tokenIdLists,
  tokenIds,
} from './schema/field-types.ts';
import { frozenObject, type JsonObject } from './schema/json-values.ts';
import { MAX_POSITIONS } from './schema/limits.ts';

interface GenerationFields {
  /** Length limit of a causal model's entire row, including prompt and image positions. */
  readonly maxLength: number;
  readonly maxNewTokens: number | undefined;
  readonly minLength: number;
  readonly minNewTokens: number | undefined;
  /** Seconds. */
  readonly maxTime: number | undefined;
  readonly doSample: boolean;
  readonly numBeams: number;
  readonly numReturnSequences: number;
  readonly temperature: number;
  readonly topK: number;
  readonly topP: number;
  readonly minP: number | undefined;
  readonly typicalP: number;
  readonly epsilonCutoff: number;
  readonly etaCutoff: number;
  readonly repetitionPenalty: number;
  readonly lengthPenalty: number;
  readonly noRepeatNgramSize: number;
  readonly earlyStopping: boolean | 'never';
  readonly badWordsIds: readonly (readonly number[])[] | undefined;
  readonly suppressTokens: readonly number[] | undefined;
  readonly beginSuppressTokens: readonly number[] | undefined;
  readonly forcedBosTokenId: number | undefined;
  readonly forcedEosTokenId: number | readonly number[] | undefined;
  readonly removeInvalidValues: boolean;
  readonly renormalizeLogits: boolean;
  readonly bosTokenId: number | undefined;
  readonly eosTokenId: number | readonly number[] | undefined;
  readonly padTokenId: number | undefined;
  readonly decoderStartTokenId: number | undefined;
}

/**
 * The contents of a `generation_config.json`. **BLIP-2 does not apply it**, here as in HF: generation takes its
 * defaults from the configuration of the language model. Pass `GenerationConfig.options(config)` to `generate` to
 * apply it.
 */
export interface GenerationConfig extends GenerationFields {
  /** The JSON that it was read from; `toJson` keeps unknown keys. */
  readonly json: JsonObject;
}

const MAX_BEAMS = 4096;

/** Names on disk, defaults and bounds. Source: `GenerationConfig`, transformers 5.18. */
const fields: FieldTable<GenerationFields> = {
  maxLength: count('max_length', 20, MAX_POSITIONS),
  maxNewTokens: optional(count('max_new_tokens', 20, MAX_POSITIONS)),
  minLength: count('min_length', 0, MAX_POSITIONS, { low: 0 }),
  minNewTokens: optional(count('min_new_tokens', 0, MAX_POSITIONS, { low: 0 })),
  maxTime: optional(positive('max_time', 1)),
  doSample: flag('do_sample', false),
  numBeams: count('num_beams', 1, MAX_BEAMS),
  numReturnSequences: count('num_return_sequences', 1, MAX_BEAMS),
  temperature: positive('temperature', 1),
  topK: count('top_k', 50, Number.MAX_SAFE_INTEGER, { low: 0 }),
  topP: probability('top_p', 1),
  minP: optional(probability('min_p', 0)),
  typicalP: probability('typical_p', 1),
  epsilonCutoff: probability('epsilon_cutoff', 0),
  etaCutoff: probability('eta_cutoff', 0),
  repetitionPenalty: positive('repetition_penalty', 1),
  lengthPenalty: finite('length_penalty', 1),
  noRepeatNgramSize: count('no_repeat_ngram_size', 0, MAX_POSITIONS, { low: 0 }),
  earlyStopping: flagOrNever('early_stopping', false),
  badWordsIds: tokenIdLists('bad_words_ids'),
  suppressTokens: tokenIdList('suppress_tokens'),
  beginSuppressTokens: tokenIdList('begin_suppress_tokens'),
  forcedBosTokenId: tokenId('forced_bos_token_id', undefined),
  forcedEosTokenId: tokenIds('forced_eos_token_id', undefined),
  removeInvalidValues: flag('remove_invalid_values', false),
  renormalizeLogits: flag('renormalize_logits', false),
  bosTokenId: tokenId('bos_token_id', undefined),
  eosTokenId: tokenIds('eos_token_id', undefined),
  padTokenId: tokenId('pad_token_id', undefined),
  decoderStartTokenId: tokenId('decoder_start_token_id', undefined),
};

const WHERE = 'generation_config.json';
const read = (json: JsonObject): GenerationFields => readFields(fields, json, WHERE);

function fromJson(json: unknown, file: string = WHERE): GenerationConfig {
  const own = frozenObject(json, file);
  return Object.freeze({ ...readFields(fields, own, file), json: own });
}

function toJson(config: GenerationConfig, options?: ToJsonOptions): Record<string, unknown> {
  return writeFields<GenerationFields>(fields, config, config.json, read, options);
}

function create(overrides: Partial<GenerationConfig> = {}): GenerationConfig {
  requireKnownFields(fields, overrides, ['json'], 'generation configuration');
  return fromJson(writeFields<GenerationFields>(fields, overrides, overrides.json ?? {}, read));
}

/** Values equal to a default are left to `generate`, whose defaults depend on other options. */
function options(config: GenerationConfig): GenerationOptions {
  const defaults = new Map(Object.entries(read({})));
  return Object.fromEntries(
    Object.entries(config).filter(
      ([name, value]) => name !== 'json' && value !== undefined && value !== defaults.get(name),
    ),
  );
}

export const GenerationConfig: {
  /**
   * Reads a parsed `generation_config.json`. Absent fields have the defaults of HF.
   * @throws Blip2Error `INVALID_CONFIG`.
   */
  readonly fromJson: typeof fromJson;
  /** The JSON that was read, with changed fields written. Fields with default values stay absent unless `full`. */
  readonly toJson: typeof toJson;
  /** The defaults of HF, or those of `overrides.json`, with some fields replaced. */
  readonly create: typeof create;
  /** The values that differ from the defaults, as options of `generate`. */
  readonly options: typeof options;
} = { fromJson, toJson, create, options };
