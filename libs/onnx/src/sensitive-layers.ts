import type { Precision } from '@blip2/interfaces';

/** Linear layers, by the end of their weight's name, that are held otherwise than the rest of their part. */
interface SensitiveLayers {
  readonly weights: RegExp;
  /** What takes the place of a precision. */
  readonly instead: Readonly<Partial<Record<Precision, Precision>>>;
  readonly reason: string;
}

/**
 * Found by keeping one kind of layer after the other at float32 on the demo checkpoints and looking at the error of the
 * scores; no other kind of layer, first and last
 * ones among them, had more than its share. Norms, biases, embeddings, positions and the patch convolution are no
 * linear layers and stay float32: they are
 * below 1 % of the bytes, but for the table of words, of which only the rows are read that are picked. Projections
 * between parts and the heads of retrieval are
 * parts of their own, below 0.1 % of the bytes, and everything goes through them: they are not planned at all.
 */
const SENSITIVE: readonly SensitiveLayers[] = [
  {
    weights: /(?:^|\.)(?:lm_head|embed_tokens|shared)\.weight$/,
    instead: { q4: 'q8' },
    reason:
      'The head, tied or not: its error goes into the scores as it is. Alone it makes a third of the whole at q4 (OPT: 16.3 % of the scores, 10.7 % without it), for a twentieth of the bytes',
  },
  {
    weights: /\.DenseReluDense\.wo\.weight$/,
    instead: { int8: 'q8' },
    reason:
      'What T5 feeds this layer has a few very large features, which the reference keeps in float32 as well; blocks confine them, one scale per row does not (1.9 % of the scores, 1.1 % without it)',
  },
];

/** The precision of a linear layer where its part is to have `precision`. */
export function sensitivePrecision(name: string, precision: Precision): Precision {
  return SENSITIVE.find(({ weights }) => weights.test(name))?.instead[precision] ?? precision;
}
