import type { Sampler } from '@blip2/interfaces';

import type { FinishReason, GenerateOutput, NewToken } from '../generate-output.ts';
import { logSumExp } from '../numeric/softmax.ts';
import { argmax } from '../samplers/argmax.ts';
import { multinomial } from '../samplers/multinomial.ts';
import { createRandom } from '../samplers/random.ts';
import type { SearchSettings } from '../search-settings.ts';
import { notFinite } from './not-finite.ts';
import { padRows } from './pad-rows.ts';
import type { ScoreLog } from './score-log.ts';

/** A row that grows by one token at a time. */
export interface Row {
  readonly index: number;
  /** What processors see: the prompt's ids, then the new ones, then padding once the row has ended. */
  readonly ids: number[];
  readonly newIds: number[];
  readonly logProbs: number[];
  readonly sample: Sampler;
  finishReason?: FinishReason;
}

export function createRow(promptIds: readonly number[], index: number, { doSample, seed }: SearchSettings): Row {
  const sample = doSample ? multinomial(createRandom(seed, index)) : argmax;
  return { index, ids: [...promptIds], newIds: [], logProbs: [], sample };
}

/** Gives a row its next token and says which; nothing for a row that has ended. */
export function createChooser(
  settings: SearchSettings,
  log: ScoreLog,
): (row: Row, logits: Float32Array, isLate: boolean) => NewToken[] | undefined {
  const { processors, stop, padTokenId, toleratesNaN } = settings;
  const scratch = new Float32Array(processors.length > 0 ? settings.vocabularySize : 0);
  return (row, logits, isLate) => {
    log.addLogits(row.index, logits);
    // Without processors nothing is rewritten, so the model's own array can be read where it lies.
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
    const logProb = logits[id]! - total;
    if (id < 0 || (Number.isNaN(logProb) && !toleratesNaN)) throw notFinite(total);
    row.ids.push(id);
    row.newIds.push(id);
    row.logProbs.push(logProb);
    const finishReason = stop.reason(row.newIds, isLate);
    if (finishReason) row.finishReason = finishReason;
    return [{ row: row.index, id, logProb, ...(finishReason && { finishReason }) }];
  };
}

/** What the rows are so far. */
export function createOutput(
  rows: readonly Row[],
  { returnPrompt, promptIds, numReturnSequences, padTokenId, doSample, seed }: SearchSettings,
  log: ScoreLog,
): GenerateOutput {
  const prompts = rows.map((row) => (returnPrompt ? promptIds[Math.floor(row.index / numReturnSequences)]! : []));
  return {
    sequences: padRows(
      rows.map((row, index) => [...prompts[index]!, ...row.newIds]),
      padTokenId,
    ),
    tokenLogProbs: rows.map((row) => [...row.logProbs]),
    finishReasons: rows.map((row) => row.finishReason ?? 'aborted'),
    ...log.output(),
    ...(doSample && { seed }),
  };
}
