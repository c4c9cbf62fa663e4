import { Blip2Error, type GenerationOptions, type LogitsProcessor, type TokenIds } from '@blip2/interfaces';

import { numberOption } from '../options/number-option.ts';
import { epsilonCutoff, etaCutoff } from './cutoffs.ts';
import { forcedBosToken, forcedEosToken } from './forced-tokens.ts';
import { exponentialDecayLengthPenalty, minLength, minNewTokens } from './length-limits.ts';
import { minP } from './min-p.ts';
import { noRepeatNgram } from './no-repeat-ngram.ts';
import { removeInvalidValues } from './remove-invalid-values.ts';
import { renormalizeLogits } from './renormalize-logits.ts';
import { repetitionPenalty } from './repetition-penalty.ts';
import { badWords, sequenceBias } from './sequence-bias.ts';
import { beginSuppressTokens, suppressTokens } from './suppress-tokens.ts';
import { temperature } from './temperature.ts';
import { topK } from './top-k.ts';
import { topP } from './top-p.ts';
import { typicalP } from './typical-p.ts';

/** A logits processor and the option that configures it. */
export interface NamedLogitsProcessor {
  /** Name in `generationOptions`. */
  readonly name: keyof GenerationOptions;
  /** Modifies the logits of one row, `[vocabulary]`, in place. */
  readonly process: LogitsProcessor;
}

/** Properties of the rows that processors need in addition to the options. */
export interface ProcessorContext {
  /** Number of prompt ids among the ids that processors receive, the same for every row. */
  readonly promptLength: number;
  /** Maximum number of ids of a row, prompt included. Default: derived from the options. */
  readonly maxLength?: number;
  /** End token ids. Default: those of the options. */
  readonly eosTokenIds?: TokenIds;
}

/**
 * Creates the logits processors that options require, in the order in which HF applies them: penalties, custom
 * processors, sampling filters (with `doSample`), normalisation. Source: HF `GenerationMixin._get_logits_processor`.
 * Options are not validated; `validateGenerationOptions` does that.
 * @throws Blip2Error `INVALID_ARGUMENT` for `forcedEosTokenId` without a maximum length in options or context.
 */
export function createLogitsProcessors(options: GenerationOptions, context: ProcessorContext): NamedLogitsProcessor[] {
  const eosTokenIds = context.eosTokenIds ?? asList(options.eosTokenId);
  const processors = [...penalties(options, { ...context, eosTokenIds })];
  for (const process of options.logitsProcessors ?? []) processors.push({ name: 'logitsProcessors', process });
  if (options.doSample) processors.push(...samplingFilters(options, eosTokenIds.length));
  if (options.renormalizeLogits) processors.push({ name: 'renormalizeLogits', process: renormalizeLogits() });
  return processors;
}

type ResolvedContext = ProcessorContext & { readonly eosTokenIds: TokenIds };

function* penalties(
  options: GenerationOptions,
  { promptLength, maxLength, eosTokenIds }: ResolvedContext,
): Generator<NamedLogitsProcessor> {
  const { minNewTokens: fewest = 0 } = options;
  const penalty = numberOption(options, 'repetitionPenalty');
  const ngram = numberOption(options, 'noRepeatNgramSize');
  const shortest = numberOption(options, 'minLength');
  const hasEnd = eosTokenIds.length > 0;
  if (options.sequenceBias) yield { name: 'sequenceBias', process: sequenceBias(options.sequenceBias) };
  if (penalty !== 1) yield { name: 'repetitionPenalty', process: repetitionPenalty(penalty) };
  if (ngram > 0) yield { name: 'noRepeatNgramSize', process: noRepeatNgram(ngram) };
  if (options.badWordsIds) yield { name: 'badWordsIds', process: badWords(options.badWordsIds, eosTokenIds) };
  if (shortest > 0 && hasEnd) yield { name: 'minLength', process: minLength(shortest, eosTokenIds) };
  if (fewest > 0 && hasEnd) yield { name: 'minNewTokens', process: minNewTokens(fewest, promptLength, eosTokenIds) };
  if (options.forcedBosTokenId !== undefined)
    yield { name: 'forcedBosTokenId', process: forcedBosToken(options.forcedBosTokenId) };
  if (options.forcedEosTokenId !== undefined) {
    yield {
      name: 'forcedEosTokenId',
      process: forcedEosToken(asList(options.forcedEosTokenId), maxLength ?? requireLength(options, promptLength)),
    };
  }
  if (options.removeInvalidValues) yield { name: 'removeInvalidValues', process: removeInvalidValues() };
  if (options.exponentialDecayLengthPenalty) {
    yield {
      name: 'exponentialDecayLengthPenalty',
      process: exponentialDecayLengthPenalty(options.exponentialDecayLengthPenalty, promptLength, eosTokenIds),
    };
  }
  if (options.suppressTokens) yield { name: 'suppressTokens', process: suppressTokens(options.suppressTokens) };
  if (options.beginSuppressTokens) {
    // As in HF: a forced first token does not count as the beginning.
    const begin = promptLength > 1 || options.forcedBosTokenId === undefined ? promptLength : promptLength + 1;
    yield { name: 'beginSuppressTokens', process: beginSuppressTokens(options.beginSuppressTokens, begin) };
  }
}

function* samplingFilters(options: GenerationOptions, endTokens: number): Generator<NamedLogitsProcessor> {
  // Beam search needs one candidate more than there are end tokens, so that a beam can continue.
  const keep = numberOption(options, 'numBeams') > 1 ? Math.max(2, endTokens + 1) : 1;
  const divisor = numberOption(options, 'temperature');
  const k = numberOption(options, 'topK');
  const p = numberOption(options, 'topP');
  const mass = numberOption(options, 'typicalP');
  const epsilon = numberOption(options, 'epsilonCutoff');
  const eta = numberOption(options, 'etaCutoff');
  if (divisor !== 1) yield { name: 'temperature', process: temperature(divisor) };
  if (k !== 0) yield { name: 'topK', process: topK(k, keep) };
  if (p < 1) yield { name: 'topP', process: topP(p, keep) };
  if (options.minP !== undefined) yield { name: 'minP', process: minP(options.minP, keep) };
  if (mass < 1) yield { name: 'typicalP', process: typicalP(mass, keep) };
  if (epsilon > 0 && epsilon < 1) yield { name: 'epsilonCutoff', process: epsilonCutoff(epsilon, keep) };
  if (eta > 0 && eta < 1) yield { name: 'etaCutoff', process: etaCutoff(eta, keep) };
}

function asList(ids: number | TokenIds | undefined): TokenIds {
  return ids === undefined ? [] : typeof ids === 'number' ? [ids] : ids;
}

function requireLength({ maxLength, maxNewTokens }: GenerationOptions, promptLength: number): number {
  const length = maxNewTokens === undefined ? maxLength : promptLength + maxNewTokens;
  if (length !== undefined) return length;
  throw new Blip2Error('INVALID_ARGUMENT', 'forcedEosTokenId needs a maximum length', {
    argument: 'forcedEosTokenId',
    fix: 'Set maxNewTokens or maxLength',
  });
}
