/** A way to go on from a beam with one more token. */
export interface Candidate {
  /** Index of the beam within its group. */
  readonly beam: number;
  readonly id: number;
  /** Sum of the processed log-probabilities, this token's included. */
  readonly score: number;
}

/** The best candidates seen so far, best first; of equal ones the earlier. */
export interface CandidateList {
  readonly candidates: readonly Candidate[];
  /** Only what lies above this can enter. */
  readonly threshold: number;
  insert(key: number, candidate: Candidate): void;
}

/** Keeps the `size` candidates with the largest keys. Few enter, so a sorted array is as good as a heap. */
export function createCandidateList(size: number): CandidateList {
  const keys: number[] = [];
  const candidates: Candidate[] = [];
  return {
    candidates,
    get threshold() {
      return keys.length < size ? -Infinity : keys[size - 1]!;
    },
    insert(key, candidate) {
      let place = keys.length;
      while (place > 0 && keys[place - 1]! < key) place--;
      keys.splice(place, 0, key);
      candidates.splice(place, 0, candidate);
      keys.length = candidates.length = Math.min(keys.length, size);
    },
  };
}
