import type { Sampler } from '@blip2/interfaces';

import type { FinishReason, GenerateOutput, NewToken } from '../generate-output.ts';
import { logSumExp } from '../numeric/softmax.ts';
import { argmax } from '../samplers/argmax.ts';
import { multinomial } from '../samplers/multinomial.ts';
import { createRandom } from '../samplers/random.ts';
import type { SearchSettings } from '../search-settings.ts';
import { isInvalidTotal, notFinite } from './not-finite.ts';
import { padRows } from './pad-rows.ts';
import type { ScoreLog } from './score-log.ts';

/** A sequence that grows by one token per step. */
export interface Row {
  /** Index in the output. */
  readonly index: number;
  readonly promptIds: readonly number[];
  /** Ids that processors receive: those of the prompt, the new ones, then padding once the row has ended. */
  readonly ids: number[];
  readonly newIds: number[];
  readonly logProbs: number[];
  readonly sample: Sampler;
  finishReason?: FinishReason;
}

/** Creates a row without new tokens. */
export function createRow(promptIds: readonly number[], index: number, { doSample, seed }: SearchSettings): Row {
  const sample = doSample ? multinomial(createRandom(seed, index)) : argmax;
  return { index, promptIds, ids: [...promptIds], newIds: [], logProbs: [], sample };
}

/**
 * Creates the function that selects the next token of a row, appends it and returns it. Rows that have ended receive a
 * pad token and return nothing.
 */
export function createChooser(
  settings: SearchSettings,
  log: ScoreLog,
): (row: Row, logits: Float32Array, isLate: boolean) => NewToken[] | undefined {
  const { processors, stop, padTokenId, toleratesNaN } = settings;
  const scratch = new Float32Array(processors.length > 0 ? settings.vocabularySize : 0);
  return (row, logits, isLate) => {
    log.addLogits(row.index, logits);
    // Without processors nothing is modified, so the model's array is used without a copy.
    const scores = processors.length > 0 ? scratch : logits;
    if (scores === scratch) scratch.set(logits);
    for (const process of processors) process(row.ids, scores);
    log.addScores(row.index, scores);
    if (row.finishReason) {
      row.ids.push(padTokenId);
      return undefined;
    }
    const id = row.sample(scores);
    const total = logSumExp(logits);
    const logProb = (logits[id] ?? NaN) - total;
    const isInvalid = Number.isNaN(logProb) || isInvalidTotal(total);
    if (id < 0 || (isInvalid && !toleratesNaN)) throw notFinite(total);
    row.ids.push(id);
    row.newIds.push(id);
    row.logProbs.push(logProb);
    const finishReason = stop.reason(row.newIds, isLate);
    if (finishReason) row.finishReason = finishReason;
    return [{ row: row.index, id, logProb, ...(finishReason && { finishReason }) }];
  };
}

/** The output of rows so far. */
export function createOutput(
  rows: readonly Row[],
  { returnPrompt, padTokenId, doSample, seed }: SearchSettings,
  log: ScoreLog,
): GenerateOutput {
  return {
    sequences: padRows(
      rows.map((row) => (returnPrompt ? [...row.promptIds, ...row.newIds] : row.newIds)),
      padTokenId,
    ),
    tokenLogProbs: rows.map((row) => [...row.logProbs]),
    finishReasons: rows.map((row) => row.finishReason ?? 'aborted'),
    ...log.output(),
    ...(doSample && { seed }),
  };
}
