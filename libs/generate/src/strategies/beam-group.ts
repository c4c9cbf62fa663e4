import type { FinishReason } from '../generate-output.ts';
import type { SearchSettings } from '../search-settings.ts';
import { type Beam, type Candidate, extendBeam } from './beam.ts';

/** A finished sequence; its score is divided by its length to the power of the length penalty. */
export interface Hypothesis extends Pick<Beam, 'newIds' | 'logProbs' | 'beamIndices' | 'score'> {
  readonly finishReason?: FinishReason;
}

/** The beams and hypotheses of one prompt. */
export interface BeamGroup {
  /** Whether better hypotheses are still possible. Once false, it stays false. */
  readonly isOpen: boolean;
  readonly beams: readonly Beam[];
  /**
   * Extends the beams by one token. `candidates`: best first, or in the order in which they were sampled. `isLate`:
   * `maxTime` has passed.
   */
  advance(candidates: readonly Candidate[], isLate: boolean): void;
  /** The best sequences so far, hypotheses before unfinished beams. */
  best(count: number): Hypothesis[];
}

/** Score of impossible beams. Finite, as in HF, so that sums with it can be compared. */
const IMPOSSIBLE = -1e9;
const EMPTY: Hypothesis = { newIds: [], logProbs: [], beamIndices: [], score: IMPOSSIBLE };

/**
 * Creates the beam search of one prompt. Candidates that end become hypotheses if they are among the best `numBeams`;
 * the best `numBeams` others continue. Source: HF Transformers 5.18, `GenerationMixin._beam_search`,
 * `_get_running_beams_for_next_iteration`, `_update_finished_beams` and `_check_early_stop_heuristic`.
 */
export function createBeamGroup(ids: readonly number[], prompt: number, settings: SearchSettings): BeamGroup {
  const { numBeams, lengthPenalty, earlyStopping, stop } = settings;
  // Initially all beams are equal, so only one of them may be extended.
  let beams: Beam[] = Array.from({ length: numBeams }, (_, beam) => ({
    ids,
    newIds: [],
    logProbs: [],
    beamIndices: [],
    score: beam === 0 ? 0 : IMPOSSIBLE,
    source: prompt,
  }));
  let hypotheses: Hypothesis[] = beams.map(() => EMPTY);
  let isOpen = true;

  const normalize = (score: number, length: number): number =>
    Math.fround(score / Math.fround(length ** lengthPenalty));

  function finish(ended: readonly (Beam & { readonly finishReason?: FinishReason })[]): void {
    const added = ended.map((beam) => ({ ...beam, score: normalize(beam.score, beam.newIds.length) }));
    hypotheses = [...hypotheses, ...added].sort(byScore).slice(0, numBeams);
  }

  function canImprove(): boolean {
    const [best] = beams;
    if (!best) return false;
    const length = earlyStopping === 'never' && lengthPenalty > 0 ? settings.maxNewTokens : best.newIds.length;
    const worst = Math.min(...hypotheses.map(({ score }) => score));
    return normalize(best.score, length) > worst;
  }
  const isFull = (): boolean => hypotheses.every(({ finishReason }) => finishReason);

  return {
    get isOpen() {
      return isOpen;
    },
    get beams() {
      return beams;
    },
    advance(candidates, isLate) {
      const extended = candidates.map((candidate) => {
        const beam = extendBeam(candidate);
        const finishReason = stop.reason(beam.newIds, isLate);
        return { ...beam, ...(finishReason && { finishReason }) };
      });
      if (isOpen) finish(extended.slice(0, numBeams).filter(({ finishReason }) => finishReason));
      beams = extended
        .map(({ finishReason, ...beam }) =>
          finishReason ? { ...beam, score: Math.fround(beam.score + IMPOSSIBLE) } : beam,
        )
        .sort(byScore)
        .slice(0, numBeams);
      const hasEnded = extended.every(({ finishReason }) => finishReason) || (earlyStopping === true && isFull());
      isOpen &&= !hasEnded && canImprove();
    },
    best(count) {
      const ended = hypotheses.filter(({ finishReason }) => finishReason);
      const running = isOpen
        ? beams.map((beam) => ({ ...beam, score: normalize(beam.score, beam.newIds.length || 1) }))
        : [];
      return [...ended, ...running, ...hypotheses.map(() => EMPTY)].slice(0, count);
    },
  };
}

function byScore(left: { readonly score: number }, right: { readonly score: number }): number {
  return right.score - left.score;
}
