import { Blip2Error } from '@blip2/interfaces';

/** The error for a step in which no token can be chosen (`id` -1), or whose scores are not numbers. */
export function notFinite(id: number): Blip2Error {
  return id < 0
    ? new Blip2Error('NOT_FINITE', 'No token is left to choose', { expected: 'at least one score above -Infinity', fix: 'Forbid fewer tokens' })
    : new Blip2Error('NOT_FINITE', 'The language model gave a score that is not a number', { fix: 'Check the weights; removeInvalidValues replaces such scores' });
}
