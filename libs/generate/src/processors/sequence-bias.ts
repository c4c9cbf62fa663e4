import { Blip2Error, type LogitsProcessor, type SequenceBias, type TokenIds } from '@blip2/interfaces';

/**
 * Adds a bias to the score of a sequence's last id where the row ends with the ids before it. Of two equal sequences
 * the later counts.
 * Reference: `SequenceBiasLogitsProcessor`.
 * @throws Blip2Error when it runs, `INVALID_ARGUMENT` if an id lies beyond the vocabulary.
 */
export function sequenceBias(biases: readonly SequenceBias[]): LogitsProcessor {
  const distinct = [...new Map(biases.map((bias) => [bias[0].join(), bias])).values()];
  return (ids, scores) => {
    const sums = new Map<number, number>();
    for (const [sequence, bias] of distinct) {
      requireKnownIds(sequence, scores.length);
      const last = sequence.at(-1)!;
      if (endsWith(ids, sequence.slice(0, -1))) sums.set(last, Math.fround((sums.get(last) ?? 0) + bias));
    }
    for (const [id, bias] of sums) scores[id] = scores[id]! + bias;
  };
}

/**
 * Forbids the last id of each sequence where the row ends with the ids before it; an end token alone is never
 * forbidden. Reference: `NoBadWordsLogitsProcessor`.
 * @throws Blip2Error when it runs, `INVALID_ARGUMENT` if an id lies beyond the vocabulary.
 */
export function badWords(sequences: readonly TokenIds[], eosTokenIds: TokenIds = []): LogitsProcessor {
  const forbidden = sequences.filter((sequence) => sequence.length > 1 || !eosTokenIds.includes(sequence[0]!));
  return sequenceBias(forbidden.map((sequence) => [sequence, -Infinity] as const));
}

function endsWith(ids: TokenIds, suffix: TokenIds): boolean {
  const start = ids.length - suffix.length;
  return start >= 0 && suffix.every((id, offset) => ids[start + offset] === id);
}

function requireKnownIds(sequence: TokenIds, vocabularySize: number): void {
  const unknown = sequence.find((id) => id >= vocabularySize);
  if (unknown === undefined) return;
  throw new Blip2Error('INVALID_ARGUMENT', 'A biased or forbidden token id is not in the vocabulary', {
    expected: `ids below ${vocabularySize}`,
    got: String(unknown),
  });
}
