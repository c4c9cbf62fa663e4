import type { Precision, PrecisionChoice } from '@blip2/interfaces';

/** Linear layers of a part, by the end of their weight's name, whose precision differs from that of the part. */
export interface SensitiveLayers {
  readonly weights: RegExp;
  /** What replaces a precision, or the precision that a preset stands for. */
  readonly instead: Readonly<Partial<Record<PrecisionChoice, Precision>>>;
  /** What was measured. */
  readonly reason: string;
}

/**
 * The precision of one linear layer of a part that has `precision`, under the precision or preset `choice`. The first
 * entry that matches the name applies.
 *
 * Entries were found by keeping one kind of layer at a time at float32 on the demo checkpoints and comparing the error
 * of the logits; no other kind, first and last layers included, had more than its share. Norms, biases, embeddings and
 * patch convolutions are not linear layers and stay float32: below 1 % of the bytes, except for the token embedding, of
 * which only the requested rows are read. Projections between parts and the retrieval heads are parts themselves,
 * below 0.1 % of the bytes; they are never converted.
 */
export function sensitivePrecision(
  layers: readonly SensitiveLayers[],
  name: string,
  precision: Precision,
  choice: PrecisionChoice = precision,
): Precision {
  const instead = layers.find(({ weights }) => weights.test(name))?.instead;
  return instead?.[choice] ?? instead?.[precision] ?? precision;
}
