import { Blip2Error } from '../errors.ts';
import type { Tensor } from '../tensor.ts';

/**
 * Checks the result of a part, named as in messages (`vision encoder`), and returns it.
 * @throws Blip2Error `NOT_FINITE` if a value is NaN or infinite.
 */
export function expectFinite<T extends Tensor<'float32'>>(part: string, result: T): T {
  const { data } = result;
  // Any number times 0 is 0, but NaN and infinity yield NaN: one pass without a branch per value.
  let sum = 0;
  for (let index = 0; index < data.length; index++) sum += (data[index] ?? 0) * 0;
  if (sum === 0) return result;
  const value = data.find((each) => !Number.isFinite(each));
  throw new Blip2Error('NOT_FINITE', `The ${part} returned a value that is not finite (${value})`, {
    subject: part,
    fix: 'Run blip2 cache verify, or use dtype fp32; the weights may be damaged',
  });
}
