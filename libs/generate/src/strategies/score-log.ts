import type { StepScores } from '../generate-output.ts';
import type { SearchSettings } from '../search-settings.ts';

/** Records the processed and unprocessed logits of every step, if requested by `outputScores` and `outputLogits`. */
export interface ScoreLog {
  /** Whether anything is recorded. */
  readonly isEnabled: boolean;
  /** Begins a step. Rows that are not added stay at -Infinity. */
  begin(rows: number): void;
  addLogits(row: number, logits: Float32Array): void;
  addScores(row: number, scores: Float32Array): void;
  /** The recorded members of the output. */
  output(): { scores?: StepScores[]; logits?: StepScores[] };
}

/** Creates an empty log. */
export function createScoreLog({ outputScores, outputLogits, vocabularySize }: SearchSettings): ScoreLog {
  const scores: StepScores[] = [];
  const logits: StepScores[] = [];
  const create = (rows: number): StepScores => ({
    type: 'float32',
    dims: [rows, vocabularySize],
    data: new Float32Array(rows * vocabularySize).fill(-Infinity),
  });
  const write = (log: readonly StepScores[], row: number, values: Float32Array): void =>
    log.at(-1)?.data.set(values, row * vocabularySize);
  return {
    isEnabled: outputScores || outputLogits,
    begin(rows) {
      if (outputScores) scores.push(create(rows));
      if (outputLogits) logits.push(create(rows));
    },
    addLogits: (row, values) => write(logits, row, values),
    addScores: (row, values) => write(scores, row, values),
    output: () => ({ ...(outputScores && { scores }), ...(outputLogits && { logits }) }),
  };
}
