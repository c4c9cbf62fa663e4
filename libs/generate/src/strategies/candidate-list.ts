import type { Candidate } from './beam.ts';

/** The best candidates so far, best first; of equal ones the earlier. */
export interface CandidateList {
  readonly candidates: readonly Candidate[];
  /** Only candidates with a key above this are inserted. */
  readonly threshold: number;
  insert(key: number, candidate: Candidate): void;
}

/** Creates a list of the `size` candidates with the largest keys. Insertions are rare, so a sorted array suffices. */
export function createCandidateList(size: number): CandidateList {
  const keys: number[] = [];
  const candidates: Candidate[] = [];
  return {
    candidates,
    get threshold() {
      return keys[size - 1] ?? -Infinity;
    },
    insert(key, candidate) {
      const smaller = keys.findIndex((other) => other < key);
      const place = smaller < 0 ? keys.length : smaller;
      keys.splice(place, 0, key);
      candidates.splice(place, 0, candidate);
      keys.length = candidates.length = Math.min(keys.length, size);
    },
  };
}
