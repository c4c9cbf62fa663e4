import { type LogitsProcessor, mustBe, type SequenceBias, type TokenIds } from '@blip2/interfaces';

/**
 * Adds a bias to the logit of a sequence's last id where the row ends with the ids before it. Of two entries for the
 * same sequence the later one applies. Source: HF `SequenceBiasLogitsProcessor`.
 *
 * ```ts
 * const logits = Float32Array.of(3, 1, 2);
 * sequenceBias([[[2, 1], 4]])([0, 2], logits);
 * logits; // [3, 5, 2]
 * ```
 *
 * @throws Blip2Error `INVALID_ARGUMENT`, when it runs, if an id is not in the vocabulary.
 */
export function sequenceBias(biases: readonly SequenceBias[]): LogitsProcessor {
  return addBiases(biases, 'sequenceBias');
}

/**
 * Suppresses the last id of each sequence where the row ends with the ids before it. A single end token is never
 * suppressed. Source: HF `NoBadWordsLogitsProcessor`.
 *
 * ```ts
 * const logits = Float32Array.of(3, 1, 2);
 * badWords([[2], [0, 1]])([0], logits);
 * logits; // [3, -Infinity, -Infinity]
 * ```
 *
 * @throws Blip2Error `INVALID_ARGUMENT`, when it runs, if an id is not in the vocabulary.
 */
export function badWords(sequences: readonly TokenIds[], eosTokenIds: TokenIds = []): LogitsProcessor {
  const suppressed = sequences.filter(
    (sequence) => sequence.length > 1 || !sequence.some((id) => eosTokenIds.includes(id)),
  );
  return addBiases(
    suppressed.map((sequence) => [sequence, -Infinity] as const),
    'badWordsIds',
  );
}

function addBiases(biases: readonly SequenceBias[], option: string): LogitsProcessor {
  const distinct = [...new Map(biases.map((bias) => [bias[0].join(), bias])).values()];
  return (ids, logits) => {
    const sums = new Map<number, number>();
    for (const [sequence, bias] of distinct) {
      requireKnownIds(sequence, logits.length, option);
      const last = sequence.at(-1);
      if (last !== undefined && endsWith(ids, sequence.slice(0, -1)))
        sums.set(last, Math.fround((sums.get(last) ?? 0) + bias));
    }
    for (const [id, bias] of sums) logits[id] = (logits[id] ?? 0) + bias;
  };
}

function endsWith(ids: TokenIds, suffix: TokenIds): boolean {
  const start = ids.length - suffix.length;
  return start >= 0 && suffix.every((id, offset) => ids[start + offset] === id);
}

function requireKnownIds(sequence: TokenIds, vocabularySize: number, option: string): void {
  const unknown = sequence.find((id) => id >= vocabularySize);
  if (unknown !== undefined) throw mustBe(option, `token ids below the vocabulary size ${vocabularySize}`, unknown);
}
