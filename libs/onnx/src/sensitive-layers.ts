import type { Precision } from '@blip2/interfaces';

/** Linear layers, by the end of their weight's name, that are kept at a higher precision than the rest of their part. */
interface SensitiveLayers {
  readonly weights: RegExp;
  /** At least this, in the order fp32, int8 and q8, q4. */
  readonly atLeast: 'fp32' | 'q8';
  readonly reason: string;
}

/**
 * Norms, biases, embeddings, positions and the patch convolution are no linear layers and stay float32 anyway: together they are below 1 % of the bytes, except for the
 * table of words, of which only the rows that are picked are read.
 */
const SENSITIVE: readonly SensitiveLayers[] = [
];

/** The precision of a linear layer where its part is to have `precision`. */
export function sensitivePrecision(name: string, precision: Precision): Precision {
  const found = SENSITIVE.find(({ weights }) => weights.test(name));
  if (!found || precision === 'fp32') return precision;
  if (found.atLeast === 'fp32') return 'fp32';
  return precision === 'q4' ? found.atLeast : precision;
}
