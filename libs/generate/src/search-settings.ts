import {
  defined,
  type GenerationOptions,
  type LanguageModel,
  type LogitsProcessor,
  type SpecialTokens,
  type TokenIds,
} from '@blip2/interfaces';

import type { ResolvedPrompt } from './generation-prompt.ts';
import { resolveLengths } from './options/lengths.ts';
import { numberOption } from './options/number-option.ts';
import { createLogitsProcessors } from './processors/create-logits-processors.ts';
import { randomSeed } from './samplers/random.ts';
import { createStopRules, type StopRules } from './stopping/stop-rules.ts';

/** Settings of a search, with all defaults filled in. */
export interface SearchSettings {
  /** Number of prompts. */
  readonly rows: number;
  readonly promptIds: readonly TokenIds[];
  readonly vocabularySize: number;
  readonly maxNewTokens: number;
  readonly processors: readonly LogitsProcessor[];
  readonly stop: StopRules;
  readonly eosTokenIds: TokenIds;
  readonly padTokenId: number;
  readonly doSample: boolean;
  readonly seed: number;
  readonly numBeams: number;
  readonly numReturnSequences: number;
  /** Maximum number of draft tokens per step; 0 disables prompt lookup. */
  readonly promptLookupNumTokens: number;
  readonly maxPositions: number;
  readonly lengthPenalty: number;
  readonly earlyStopping: boolean | 'never';
  readonly outputScores: boolean;
  readonly outputLogits: boolean;
  readonly returnPrompt: boolean;
  /** NaN logits are not an error, because a processor removes them. */
  readonly toleratesNaN: boolean;
  readonly signal: AbortSignal | undefined;
}

/** Context of `generate` that is not a generation option. */
export interface GenerationContext {
  /** Decodes new ids to text, preferably without special tokens. Only required by `stopStrings`. */
  readonly decode?: (ids: TokenIds) => string;
  /**
   * Maximum number of new tokens if the options set no length, lowered to the room that the prompt leaves. Default: 20,
   * as in HF.
   */
  readonly defaultNewTokens?: number;
}

/** The special tokens of a model, overridden by the options. */
export function resolveSpecialTokens(model: LanguageModel, options: GenerationOptions): SpecialTokens {
  const { bosTokenId, eosTokenId, padTokenId, decoderStartTokenId } = options;
  return { ...model.specialTokens, ...defined({ bosTokenId, eosTokenId, padTokenId, decoderStartTokenId }) };
}

/**
 * Derives the settings of a search from model, prompt and validated options.
 * @throws Blip2Error `SEQUENCE_TOO_LONG`, `INVALID_ARGUMENT` as `generateSteps` does.
 */
export function resolveSettings(
  model: LanguageModel,
  prompt: ResolvedPrompt,
  options: GenerationOptions,
  special: SpecialTokens,
  { decode, defaultNewTokens }: GenerationContext,
): SearchSettings {
  const { promptIds, promptLength, rows } = prompt;
  const { maxNewTokens, minNewTokens } = resolveLengths(options, promptLength, model.maxPositions, defaultNewTokens);
  const eosTokenIds = special.eosTokenId === undefined ? [] : [special.eosTokenId].flat();
  // Processors may receive fewer ids than there are positions (image embeddings have no ids), so their length limits
  // are
  // converted to new tokens.
  const idsLength = promptIds[0]?.length ?? 0;
  const processors = createLogitsProcessors(
    { ...options, minLength: 0, minNewTokens },
    { promptLength: idsLength, maxLength: idsLength + maxNewTokens, eosTokenIds },
  );
  return {
    rows,
    promptIds,
    vocabularySize: model.vocabularySize,
    maxNewTokens,
    processors: processors.map(({ process }) => process),
    stop: createStopRules(options, defined({ eosTokenIds, maxNewTokens, decode, now: () => performance.now() })),
    eosTokenIds,
    padTokenId: special.padTokenId ?? eosTokenIds[0] ?? 0,
    doSample: options.doSample ?? false,
    seed: options.seed ?? randomSeed(),
    numBeams: numberOption(options, 'numBeams'),
    numReturnSequences: numberOption(options, 'numReturnSequences'),
    promptLookupNumTokens: options.promptLookupNumTokens ?? 0,
    maxPositions: model.maxPositions,
    lengthPenalty: numberOption(options, 'lengthPenalty'),
    earlyStopping: options.earlyStopping ?? false,
    outputScores: options.outputScores ?? false,
    outputLogits: options.outputLogits ?? false,
    returnPrompt: options.returnPrompt ?? false,
    toleratesNaN: options.removeInvalidValues ?? false,
    signal: options.signal,
  };
}
