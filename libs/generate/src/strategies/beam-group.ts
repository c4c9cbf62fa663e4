import type { FinishReason } from '../generate-output.ts';
import type { SearchSettings } from '../search-settings.ts';
import type { Candidate } from './candidate-list.ts';

/** A row under way. */
export interface Beam {
  /** What processors see: the prompt's ids, then the new ones. */
  readonly ids: readonly number[];
  readonly newIds: readonly number[];
  readonly logProbs: readonly number[];
  /** For each new token, the row of scores that it was taken from. */
  readonly beamIndices: readonly number[];
  /** Sum of the processed log-probabilities, in float32. */
  readonly score: number;
  /** The row of the decoding that holds it. */
  source: number;
}

/** A row as it is returned; its score is divided by its length to the power of the length penalty. */
export interface Hypothesis extends Pick<Beam, 'newIds' | 'logProbs' | 'beamIndices' | 'score'> {
  readonly finishReason?: FinishReason;
}

/** The beams of one prompt. */
export interface BeamGroup {
  /** Better rows may still come. Never true again once it is false. */
  readonly isOpen: boolean;
  readonly beams: readonly Beam[];
  /**
   * Takes one more token. `candidates`: best first, or in the order they were drawn; `logProb`: what the model itself
   * gave a candidate's token; `isLate`: time is over.
   */
  advance(candidates: readonly Candidate[], logProb: (candidate: Candidate) => number, isLate: boolean): void;
  /** The best rows so far, ended ones first. */
  best(count: number): Hypothesis[];
}

/** Stands for "impossible" in the reference's arithmetic: small, but finite, so that sums with it still compare. */
const IMPOSSIBLE = -1e9;
const EMPTY: Hypothesis = { newIds: [], logProbs: [], beamIndices: [], score: IMPOSSIBLE };

/**
 * Beam search for one prompt. Of the candidates that end, those among the best `numBeams` become hypotheses; the best
 * `numBeams` that do not end go on.
 * Reference: `GenerationMixin._beam_search` of transformers 5.18 and its `_get_running_beams_for_next_iteration`,
 * `_update_finished_beams`, `_check_early_stop_heuristic`.
 */
export function createBeamGroup(prompt: number, settings: SearchSettings): BeamGroup {
  const { numBeams, lengthPenalty, earlyStopping, stop } = settings;
  const ids = settings.promptIds[prompt]!;
  // At first all beams are the same row: only one of them may be continued.
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

  function canImprove(newLength: number): boolean {
    const [best] = beams;
    if (!best) return false;
    const length = earlyStopping === 'never' && lengthPenalty > 0 ? settings.maxNewTokens : newLength;
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
    advance(candidates, logProb, isLate) {
      const extended = candidates.map((candidate) => {
        const beam = extend(beams[candidate.beam]!, candidate, logProb(candidate), prompt * numBeams + candidate.beam);
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
      isOpen &&= !hasEnded && canImprove(beams[0]!.newIds.length);
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

function extend(beam: Beam, { id, score }: Candidate, logProb: number, row: number): Beam {
  return {
    ids: [...beam.ids, id],
    newIds: [...beam.newIds, id],
    logProbs: [...beam.logProbs, logProb],
    beamIndices: [...beam.beamIndices, row],
    score,
    source: beam.source,
  };
}

function byScore(left: { readonly score: number }, right: { readonly score: number }): number {
  return right.score - left.score;
}
