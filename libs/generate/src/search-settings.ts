import type { GenerationOptions, LanguageModel, LogitsProcessor, SpecialTokens, TokenIds } from '@blip2/interfaces';

import type { ResolvedPrompt } from './generation-prompt.ts';
import { resolveLengths } from './options/lengths.ts';
import { numberOption } from './options/number-option.ts';
import { createLogitsProcessors } from './processors/create-logits-processors.ts';
import { randomSeed } from './samplers/random.ts';
import { createStopRules, type StopRules } from './stopping/stop-rules.ts';

/** Everything a search needs, all defaults filled in. */
export interface SearchSettings {
  /** Prompts. */
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
  /** Tokens guessed at a time; 0 is none. */
  readonly promptLookupNumTokens: number;
  readonly maxPositions: number;
  readonly lengthPenalty: number;
  readonly earlyStopping: boolean | 'never';
  readonly outputScores: boolean;
  readonly outputLogits: boolean;
  readonly returnPrompt: boolean;
  /** NaN among the scores is not an error: a processor removes it. */
  readonly toleratesNaN: boolean;
  readonly signal: AbortSignal | undefined;
}

/** What `generate` can be given beside the options. */
export interface GenerationContext {
  /** Turns new ids into text; `stopStrings` need it, nothing else does. Special tokens are best left out. */
  readonly decode?: (ids: TokenIds) => string;
}

/** The special tokens of a model with what the options replace. */
export function resolveSpecialTokens(model: LanguageModel, options: GenerationOptions): SpecialTokens {
  const { bosTokenId, eosTokenId, padTokenId, decoderStartTokenId } = options;
  return {
    ...model.specialTokens,
    ...(bosTokenId !== undefined && { bosTokenId }),
    ...(eosTokenId !== undefined && { eosTokenId }),
    ...(padTokenId !== undefined && { padTokenId }),
    ...(decoderStartTokenId !== undefined && { decoderStartTokenId }),
  };
}

export function resolveSettings(
  model: LanguageModel,
  prompt: ResolvedPrompt,
  options: GenerationOptions,
  special: SpecialTokens,
  { decode }: GenerationContext,
): SearchSettings {
  const { promptIds, promptLength, rows } = prompt;
  const { maxNewTokens, minNewTokens } = resolveLengths(options, promptLength, model.maxPositions);
  const eosTokenIds = special.eosTokenId === undefined ? [] : [special.eosTokenId].flat();
  // The ids that processors see may be fewer than the positions that lengths count, so lengths are given to them as new
  // tokens.
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
    stop: createStopRules(options, {
      eosTokenIds,
      maxNewTokens,
      now: () => performance.now(),
      ...(decode && { decode }),
    }),
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
