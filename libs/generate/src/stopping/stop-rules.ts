import { Blip2Error, type GenerationOptions, type StoppingCriterion, type TokenIds } from '@blip2/interfaces';

import type { FinishReason } from '../generate-output.ts';
import { stopStrings } from './stop-strings.ts';

/** When rows end. */
export interface StopRules {
  /**
   * Whether and why a row ends with its newest token. `isLate`: asked once for all rows of a step, so that they end
   * together.
   */
  reason(newIds: TokenIds, isLate: boolean): FinishReason | undefined;
  /** Whether `maxTime` is over. */
  isLate(): boolean;
}

export interface StopLimits {
  readonly eosTokenIds: TokenIds;
  readonly maxNewTokens: number;
  /** Needed for stop strings. */
  readonly decode?: (ids: TokenIds) => string;
  /** Milliseconds, as `performance.now`. */
  readonly now: () => number;
}

/**
 * The rules that options and limits give together: an end token counts first, then text and own criteria, then length,
 * then time.
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
      if (end.has(newIds.at(-1)!)) return 'eos';
      if (criteria.some((isFinished) => isFinished(newIds))) return 'stop';
      if (newIds.length >= maxNewTokens) return 'length';
      return isLate ? 'time' : undefined;
    },
    isLate: () => deadline !== Infinity && now() > deadline,
  };
}

function requireDecode(decode: StopLimits['decode']): NonNullable<StopLimits['decode']> {
  if (decode) return decode;
  throw new Blip2Error('INVALID_ARGUMENT', 'Stop strings need a way from ids to text', {
    where: 'stopStrings',
    fix: 'Give generate a decode function',
  });
}
