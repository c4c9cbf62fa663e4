import { Blip2Error } from '@blip2/interfaces';

/** Whether the `logSumExp` of logits shows that some of them are NaN or positive infinity. */
export function isInvalidTotal(total: number): boolean {
  return Number.isNaN(total) || total === Infinity;
}

/**
 * Creates the error for a step without a token to select. `total`: the `logSumExp` of the model's logits, which tells
 * whether these are invalid or all tokens have been suppressed.
 */
export function notFinite(total: number): Blip2Error {
  return isInvalidTotal(total)
    ? new Blip2Error('NOT_FINITE', 'The language model returned logits that are NaN or infinite', {
        subject: 'language model',
        fix: 'Check the weights; removeInvalidValues replaces such logits',
      })
    : new Blip2Error('NOT_FINITE', 'All tokens are suppressed', {
        expected: 'at least one logit above -Infinity',
        fix: 'Suppress fewer tokens',
      });
}
