import type { StepScores } from '../generate-output.ts';
import type { SearchSettings } from '../search-settings.ts';

/** Scores of every step, kept only if they were asked for. */
export interface ScoreLog {
  readonly keepsAny: boolean;
  begin(rows: number): void;
  addLogits(row: number, logits: Float32Array): void;
  addScores(row: number, scores: Float32Array): void;
  /** The part of an output that holds them. */
  output(): { scores?: StepScores[]; logits?: StepScores[] };
}

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
    keepsAny: outputScores || outputLogits,
    begin(rows) {
      if (outputScores) scores.push(create(rows));
      if (outputLogits) logits.push(create(rows));
    },
    addLogits: (row, values) => write(logits, row, values),
    addScores: (row, values) => write(scores, row, values),
    output: () => ({ ...(outputScores && { scores }), ...(outputLogits && { logits }) }),
  };
}
