import {
  badWords,
  beginSuppressTokens,
  epsilonCutoff,
  etaCutoff,
  exponentialDecayLengthPenalty,
  forcedBosToken,
  forcedEosToken,
  minLength,
  minNewTokens,
  minP,
  noRepeatNgram,
  removeInvalidValues,
  renormalizeLogits,
  repetitionPenalty,
  sequenceBias,
  suppressTokens,
  temperature,
  topK,
  topP,
  typicalP,
} from '@blip2/generate';
import type { GenerationOptions, LengthDecay, LogitsProcessor, SequenceBias, TokenIds } from '@blip2/interfaces';

import { asList, asNumber, asRows, type JsonObject } from '../json-shape.ts';

/** A logits processor class of Transformers and its counterpart. */
interface ProcessorClass {
  readonly className: string;
  /** The generation option that enables it. */
  readonly option: keyof GenerationOptions;
  /** Constructor arguments in camelCase. Any other name fails the entry. */
  readonly arguments: readonly string[];
  readonly create: (args: JsonObject) => LogitsProcessor;
}

/**
 * The logits processors and warpers of Transformers by class name, with this library's functions.
 */
export const PROCESSOR_CLASSES: readonly ProcessorClass[] = [
  {
    className: 'SequenceBiasLogitsProcessor',
    option: 'sequenceBias',
    arguments: ['sequenceBias'],
    create: (a) => sequenceBias(biases(a['sequenceBias'])),
  },
  {
    className: 'RepetitionPenaltyLogitsProcessor',
    option: 'repetitionPenalty',
    arguments: ['penalty'],
    create: (a) => repetitionPenalty(number(a, 'penalty')),
  },
  {
    className: 'NoRepeatNGramLogitsProcessor',
    option: 'noRepeatNgramSize',
    arguments: ['ngramSize'],
    create: (a) => noRepeatNgram(number(a, 'ngramSize')),
  },
  {
    className: 'NoBadWordsLogitsProcessor',
    option: 'badWordsIds',
    arguments: ['badWordsIds', 'eosTokenId'],
    create: (a) => badWords(asRows(a['badWordsIds'], 'badWordsIds'), ids(a, 'eosTokenId')),
  },
  {
    className: 'MinLengthLogitsProcessor',
    option: 'minLength',
    arguments: ['minLength', 'eosTokenId'],
    create: (a) => minLength(number(a, 'minLength'), ids(a, 'eosTokenId')),
  },
  {
    className: 'MinNewTokensLengthLogitsProcessor',
    option: 'minNewTokens',
    arguments: ['minNewTokens', 'promptLengthToSkip', 'eosTokenId'],
    create: (a) => minNewTokens(number(a, 'minNewTokens'), number(a, 'promptLengthToSkip'), ids(a, 'eosTokenId')),
  },
  {
    className: 'ForcedBOSTokenLogitsProcessor',
    option: 'forcedBosTokenId',
    arguments: ['bosTokenId'],
    create: (a) => forcedBosToken(number(a, 'bosTokenId')),
  },
  {
    className: 'ForcedEOSTokenLogitsProcessor',
    option: 'forcedEosTokenId',
    arguments: ['eosTokenId', 'maxLength'],
    create: (a) => forcedEosToken(ids(a, 'eosTokenId'), number(a, 'maxLength')),
  },
  {
    className: 'InfNanRemoveLogitsProcessor',
    option: 'removeInvalidValues',
    arguments: [],
    create: () => removeInvalidValues(),
  },
  {
    className: 'ExponentialDecayLengthPenalty',
    option: 'exponentialDecayLengthPenalty',
    arguments: ['exponentialDecayLengthPenalty', 'eosTokenId', 'inputIdsSeqLength'],
    create: (a) =>
      exponentialDecayLengthPenalty(
        decay(a['exponentialDecayLengthPenalty']),
        number(a, 'inputIdsSeqLength'),
        ids(a, 'eosTokenId'),
      ),
  },
  {
    className: 'SuppressTokensLogitsProcessor',
    option: 'suppressTokens',
    arguments: ['suppressTokens'],
    create: (a) => suppressTokens(ids(a, 'suppressTokens')),
  },
  {
    className: 'SuppressTokensAtBeginLogitsProcessor',
    option: 'beginSuppressTokens',
    arguments: ['beginSuppressTokens', 'beginIndex'],
    create: (a) => beginSuppressTokens(ids(a, 'beginSuppressTokens'), number(a, 'beginIndex')),
  },
  {
    className: 'TemperatureLogitsWarper',
    option: 'temperature',
    arguments: ['temperature'],
    create: (a) => temperature(number(a, 'temperature')),
  },
  {
    className: 'TopKLogitsWarper',
    option: 'topK',
    arguments: ['topK', 'minTokensToKeep'],
    create: (a) => topK(number(a, 'topK'), kept(a)),
  },
  {
    className: 'TopPLogitsWarper',
    option: 'topP',
    arguments: ['topP', 'minTokensToKeep'],
    create: (a) => topP(number(a, 'topP'), kept(a)),
  },
  {
    className: 'MinPLogitsWarper',
    option: 'minP',
    arguments: ['minP', 'minTokensToKeep'],
    create: (a) => minP(number(a, 'minP'), kept(a)),
  },
  {
    className: 'TypicalLogitsWarper',
    option: 'typicalP',
    arguments: ['mass', 'minTokensToKeep'],
    create: (a) => typicalP(number(a, 'mass'), kept(a)),
  },
  {
    className: 'EpsilonLogitsWarper',
    option: 'epsilonCutoff',
    arguments: ['epsilon', 'minTokensToKeep'],
    create: (a) => epsilonCutoff(number(a, 'epsilon'), kept(a)),
  },
  {
    className: 'EtaLogitsWarper',
    option: 'etaCutoff',
    arguments: ['epsilon', 'minTokensToKeep'],
    create: (a) => etaCutoff(number(a, 'epsilon'), kept(a)),
  },
  { className: 'LogitNormalization', option: 'renormalizeLogits', arguments: [], create: () => renormalizeLogits() },
];

function number(args: JsonObject, name: string): number {
  return asNumber(args[name], name);
}

/** One id or several. */
function ids(args: JsonObject, name: string): TokenIds {
  const value = args[name];
  return typeof value === 'number' ? [value] : asList(value, name).map((id) => asNumber(id, name));
}

function kept(args: JsonObject): number | undefined {
  return args['minTokensToKeep'] === undefined ? undefined : number(args, 'minTokensToKeep');
}

function biases(value: unknown): readonly SequenceBias[] {
  return asList(value, 'sequenceBias').map((pair): SequenceBias => {
    const [sequence, bias] = asList(pair, 'sequenceBias');
    return [asList(sequence, 'sequenceBias').map((id) => asNumber(id, 'sequenceBias')), asNumber(bias, 'sequenceBias')];
  });
}

function decay(value: unknown): LengthDecay {
  const [start, factor] = asList(value, 'exponentialDecayLengthPenalty');
  return [asNumber(start, 'exponentialDecayLengthPenalty'), asNumber(factor, 'exponentialDecayLengthPenalty')];
}
