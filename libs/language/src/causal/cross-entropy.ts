import { Blip2Error, type Logits, type Tensor, type TokenIds } from '@blip2/interfaces';

/** Label of an ignored position. */
export const IGNORED_LABEL = -100;

/**
 * Mean of −log softmax(logits)[label] over the labels that are not ignored; NaN if all are, as in HF.
 * @param logits `[batch, positions, vocabulary]`
 * @param labels one row of `positions` ids each
 */
export function crossEntropy(logits: Logits, labels: readonly TokenIds[]): Tensor<'float32', [1]> {
  const [batch, positions, vocabulary] = logits.dims;
  if (labels.length !== batch || labels.some((row) => row.length !== positions)) {
    throw new Blip2Error('SHAPE_MISMATCH', 'labels must have the shape of the logits', {
      where: 'labels',
      expected: `${batch} rows of ${positions}`,
      got: `rows of ${labels.map(({ length }) => length).join(', ')}`,
    });
  }
  let sum = 0;
  let counted = 0;
  labels.flat().forEach((label, index) => {
    if (label === IGNORED_LABEL) return;
    if (!Number.isInteger(label) || label < 0 || label >= vocabulary) {
      throw new Blip2Error('INVALID_ARGUMENT', 'labels must be token ids', {
        where: 'labels',
        expected: `0 to ${vocabulary - 1}, or ${IGNORED_LABEL}`,
        got: String(label),
      });
    }
    sum += negativeLogProbability(logits.data.subarray(index * vocabulary, (index + 1) * vocabulary), label);
    counted++;
  });
  return { type: 'float32', dims: [1], data: Float32Array.of(sum / counted) };
}

/** The loss of a causal model: position `i` uses label `i + 1`. `labels` belong to the last positions of `logits`. */
export function causalLoss(logits: Logits, labels: readonly TokenIds[]): Tensor<'float32', [1]> {
  const [batch, positions, vocabulary] = logits.dims;
  const length = labels[0]?.length ?? 0;
  if (length > positions)
    throw new Blip2Error('SHAPE_MISMATCH', 'labels must not have more columns than there are positions', {
      where: 'labels',
      expected: `at most ${positions}`,
      got: String(length),
    });
  const scored = Math.max(length - 1, 0);
  const data = new Float32Array(batch * scored * vocabulary);
  for (let row = 0; row < batch; row++) {
    const start = (row * positions + positions - length) * vocabulary;
    data.set(logits.data.subarray(start, start + scored * vocabulary), row * scored * vocabulary);
  }
  return crossEntropy(
    { type: 'float32', dims: [batch, scored, vocabulary], data },
    labels.map((row) => row.slice(1)),
  );
}

function negativeLogProbability(scores: Float32Array, label: number): number {
  let highest = -Infinity;
  for (const score of scores) if (score > highest) highest = score;
  let total = 0;
  for (const score of scores) total += Math.exp(score - highest);
  return Math.log(total) + highest - (scores[label] ?? Number.NaN);
}
