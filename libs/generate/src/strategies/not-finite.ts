import { Blip2Error } from '@blip2/interfaces';

/**
 * The error for a step in which no token can be chosen, from `logSumExp` of the model's scores: either they are not
 * numbers, or all of them have been forbidden.
 */
export function notFinite(total: number): Blip2Error {
  return Number.isNaN(total) || total === Infinity
    ? new Blip2Error('NOT_FINITE', 'The language model gave a score that is not a number', {
        fix: 'Check the weights; removeInvalidValues replaces such scores',
      })
    : new Blip2Error('NOT_FINITE', 'No token is left to choose', {
        expected: 'at least one score above -Infinity',
        fix: 'Forbid fewer tokens',
      });
}
