import { Blip2Error, type GenerationOptions, type StoppingCriterion, type TokenIds } from '@blip2/interfaces';
import type { FinishReason } from '../generate-output.ts';
import { stopStrings } from './stop-strings.ts';

/** Says whether and why a row ends with its newest token. */
export type StopRule = (newIds: TokenIds) => FinishReason | undefined;

export interface StopLimits {
  readonly eosTokenIds: TokenIds;
  readonly maxNewTokens: number;
  /** Needed for stop strings. */
  readonly decode?: (ids: TokenIds) => string;
  /** Milliseconds, as `performance.now`. */
  readonly now: () => number;
}

/** The rule that options and limits give together: an end token counts first, then text and own criteria, then length, then time. */
export function createStopRule(options: GenerationOptions, { eosTokenIds, maxNewTokens, decode, now }: StopLimits): StopRule {
  const criteria: StoppingCriterion[] = [...(options.stoppingCriteria ?? [])];
  if (options.stopStrings !== undefined) criteria.push(stopStrings([options.stopStrings].flat(), requireDecode(decode)));
  const end = new Set(eosTokenIds);
  const deadline = options.maxTime === undefined ? Infinity : now() + options.maxTime * 1000;
  return (newIds) => {
    if (end.has(newIds.at(-1)!)) return 'eos';
    if (criteria.some((isFinished) => isFinished(newIds))) return 'stop';
    if (newIds.length >= maxNewTokens) return 'length';
    return deadline !== Infinity && now() > deadline ? 'time' : undefined;
  };
}

function requireDecode(decode: StopLimits['decode']): NonNullable<StopLimits['decode']> {
  if (decode) return decode;
  throw new Blip2Error('INVALID_ARGUMENT', 'Stop strings need a way from ids to text', { where: 'stopStrings', fix: 'Give generate a decode function' });
}
