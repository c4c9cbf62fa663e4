import { Blip2Error, type GenerationOptions, type StoppingCriterion, type TokenIds } from '@blip2/interfaces';

import type { FinishReason } from '../generate-output.ts';
import { stopStrings } from './stop-strings.ts';

/** Decides when rows end. */
export interface StopRules {
  /**
   * Why a row ends with its newest token; `undefined` if it continues. `isLate`: evaluated once per step, so that all
   * rows end together.
   */
  reason(newIds: TokenIds, isLate: boolean): FinishReason | undefined;
  /** Whether `maxTime` has passed. */
  isLate(): boolean;
}

/** Limits of the stop rules, in addition to the options. */
export interface StopLimits {
  readonly eosTokenIds: TokenIds;
  readonly maxNewTokens: number;
  /** Required by stop strings. */
  readonly decode?: (ids: TokenIds) => string;
  /** Current time in milliseconds, like `performance.now`. */
  readonly now: () => number;
}

/**
 * Creates the stop rules of a generation. Precedence: end token, stopping criteria and stop strings, length, time.
 * @throws Blip2Error `INVALID_ARGUMENT` for stop strings without `decode`.
 */
export function createStopRules(
  options: GenerationOptions,
  { eosTokenIds, maxNewTokens, decode, now }: StopLimits,
): StopRules {
  const criteria: StoppingCriterion[] = [...(options.stoppingCriteria ?? [])];
  if (options.stopStrings !== undefined)
    criteria.push(stopStrings([options.stopStrings].flat(), requireDecode(decode)));
  const end = new Set(eosTokenIds);
  const deadline = options.maxTime === undefined ? Infinity : now() + options.maxTime * 1000;
  return {
    reason(newIds, isLate) {
      if (newIds.slice(-1).some((id) => end.has(id))) return 'eos';
      if (criteria.some((isFinished) => isFinished(newIds))) return 'stop';
      if (newIds.length >= maxNewTokens) return 'length';
      return isLate ? 'time' : undefined;
    },
    isLate: () => deadline !== Infinity && now() > deadline,
  };
}

function requireDecode(decode: StopLimits['decode']): NonNullable<StopLimits['decode']> {
  if (decode) return decode;
  throw new Blip2Error('INVALID_ARGUMENT', 'stopStrings needs a decode function', {
    argument: 'stopStrings',
    fix: 'Pass it in the third argument of generate: { decode: (ids) => tokenizer.decode(ids) }',
  });
}
