import type { Decoding, Sampler } from '@blip2/interfaces';
import type { FinishReason, GenerateOutput, GenerationStep, NewToken } from '../generate-output.ts';
import { logSumExp } from '../numeric/softmax.ts';
import { argmax } from '../samplers/argmax.ts';
import { multinomial } from '../samplers/multinomial.ts';
import { createRandom } from '../samplers/random.ts';
import type { SearchSettings } from '../search-settings.ts';
import { notFinite } from './not-finite.ts';
import { padRows } from './pad-rows.ts';
import { createScoreLog, type ScoreLog } from './score-log.ts';
import type { Search } from './search.ts';

interface Row {
  readonly index: number;
  /** What processors see: the prompt's ids, then the new ones, then padding once the row has ended. */
  readonly ids: number[];
  readonly newIds: number[];
  readonly logProbs: number[];
  readonly sample: Sampler;
  finishReason?: FinishReason;
}

/**
 * Greedy search or sampling: every row on its own, one token at a time. Reference: `GenerationMixin._sample`.
 * Rows that have ended leave the decoding; only where scores of every step are wanted do they go on with pad tokens, as in the reference.
 */
export function createRowSearch(settings: SearchSettings): Search {
  const { promptIds, numReturnSequences, padTokenId, signal } = settings;
  const rows = promptIds.flatMap((ids, prompt) =>
    Array.from({ length: numReturnSequences }, (_, copy) => createRow(ids, prompt * numReturnSequences + copy, settings)));
  const log = createScoreLog(settings);
  const choose = createChooser(settings, log);

  async function* steps(decoding: Decoding): AsyncGenerator<GenerationStep, void, undefined> {
    let logits = decoding.logits;
    let live = rows;
    let sources = rows.map((row) => Math.floor(row.index / numReturnSequences));
    for (let step = 0; ; step++) {
      signal?.throwIfAborted();
      log.begin(rows.length);
      const isLate = settings.stop.isLate();
      const [, , vocabulary] = logits.dims;
      const tokens = live.flatMap((row, index): NewToken[] => {
        const source = sources[index]!;
        return choose(row, logits.data.subarray(source * vocabulary, (source + 1) * vocabulary), isLate) ?? [];
      });
      yield { step, tokens };
      if (rows.every((row) => row.finishReason)) return;
      const next = live.flatMap((row, index) => (log.keepsAny || !row.finishReason ? [{ row, parent: sources[index]! }] : []));
      live = next.map(({ row }) => row);
      const parents = next.map(({ parent }) => parent);
      const isUnchanged = parents.length === logits.dims[0] && parents.every((parent, index) => parent === index);
      signal?.throwIfAborted();
      logits = await decoding.extend({ ids: live.map((row) => [row.ids.at(-1)!]), ...(!isUnchanged && { parents }) });
      sources = live.map((_, index) => index);
    }
  }
  return { steps, output: () => createOutput(rows, settings, padTokenId, log) };
}

function createRow(promptIds: readonly number[], index: number, { doSample, seed }: SearchSettings): Row {
  const sample = doSample ? multinomial(createRandom(seed, index)) : argmax;
  return { index, ids: [...promptIds], newIds: [], logProbs: [], sample };
}

/** Gives a row its next token and says which; nothing for a row that has ended. */
function createChooser(settings: SearchSettings, log: ScoreLog): (row: Row, logits: Float32Array, isLate: boolean) => NewToken[] | undefined {
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
    const logProb = logits[id]! - logSumExp(logits);
    if (id < 0 || (Number.isNaN(logProb) && !toleratesNaN)) throw notFinite(id);
    row.ids.push(id);
    row.newIds.push(id);
    row.logProbs.push(logProb);
    const finishReason = stop.reason(row.newIds, isLate);
    if (finishReason) row.finishReason = finishReason;
    return [{ row: row.index, id, logProb, ...(finishReason && { finishReason }) }];
  };
}

function createOutput(rows: readonly Row[], { returnPrompt, promptIds, numReturnSequences, doSample, seed }: SearchSettings, padTokenId: number, log: ScoreLog): GenerateOutput {
  const prompts = rows.map((row) => (returnPrompt ? promptIds[Math.floor(row.index / numReturnSequences)]! : []));
  return {
    sequences: padRows(rows.map((row, index) => [...prompts[index]!, ...row.newIds]), padTokenId),
    tokenLogProbs: rows.map((row) => [...row.logProbs]),
    finishReasons: rows.map((row) => row.finishReason ?? 'aborted'),
    ...log.output(),
    ...(doSample && { seed }),
  };
}
