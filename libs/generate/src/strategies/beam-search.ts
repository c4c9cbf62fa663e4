import type { Decoding, Logits } from '@blip2/interfaces';

import type { GenerateOutput, GenerationStep } from '../generate-output.ts';
import { logSumExp } from '../numeric/softmax.ts';
import { createRandom, type Random } from '../samplers/random.ts';
import type { SearchSettings } from '../search-settings.ts';
import { type BeamGroup, createBeamGroup } from './beam-group.ts';
import { createCandidateList } from './candidate-list.ts';
import { isInvalidTotal, notFinite } from './not-finite.ts';
import { padRows } from './pad-rows.ts';
import { createScoreLog, type ScoreLog } from './score-log.ts';
import type { Search } from './search.ts';

/**
 * Creates a beam search, or with `doSample` beam sampling. Source: HF `GenerationMixin._beam_search`. In each step the
 * beams of a prompt share a list of the best `numBeams * max(2, 1 + end tokens)` candidates; with sampling these are
 * drawn without replacement. Prompts that cannot improve are removed from the decoding, unless the logits of every step
 * are requested: then they continue, as in HF.
 */
export function createBeamSearch(settings: SearchSettings): Search {
  const { numBeams, seed, doSample, signal } = settings;
  const groups = settings.promptIds.map((ids, prompt) => ({
    prompt,
    group: createBeamGroup(ids, prompt, settings),
    ...(doSample && { random: createRandom(seed, prompt) }),
  }));
  const log = createScoreLog(settings);
  const advance = createStep(settings, log);

  async function* steps(decoding: Decoding): AsyncGenerator<GenerationStep, void, undefined> {
    let { logits } = decoding;
    let live = groups;
    for (let step = 0; ; step++) {
      signal?.throwIfAborted();
      log.begin(groups.length * numBeams);
      const isLate = settings.stop.isLate();
      for (const { prompt, group, random } of live) advance(group, prompt * numBeams, logits, isLate, random);
      yield { step, tokens: [] };
      if (groups.every(({ group }) => !group.isOpen)) return;
      live = live.filter(({ group }) => log.isEnabled || group.isOpen);
      signal?.throwIfAborted();
      logits = await extendBeams(
        decoding,
        live.map(({ group }) => group),
        logits.dims[0],
      );
    }
  }
  return {
    steps,
    output: () =>
      createOutput(
        groups.map(({ group }) => group),
        settings,
        log,
      ),
  };
}

/** Creates the function that scores all extensions of a group's beams and advances the group by the best of them. */
function createStep(
  settings: SearchSettings,
  log: ScoreLog,
): (group: BeamGroup, firstRow: number, logits: Logits, isLate: boolean, random?: Random) => void {
  const { processors, numBeams, eosTokenIds, vocabularySize, toleratesNaN } = settings;
  const logProbs = new Float32Array(vocabularySize);
  const numCandidates = Math.max(2, 1 + eosTokenIds.length) * numBeams;
  return (group, firstRow, { data }, isLate, random) => {
    const list = createCandidateList(numCandidates);
    const totals = group.beams.map((beam, index) => {
      const row = firstRow + index;
      const logits = data.subarray(beam.source * vocabularySize, (beam.source + 1) * vocabularySize);
      const total = logSumExp(logits);
      if (isInvalidTotal(total) && !toleratesNaN) throw notFinite(total);
      for (let id = 0; id < vocabularySize; id++) logProbs[id] = (logits[id] ?? 0) - total;
      for (const process of processors) process(beam.ids, logProbs);
      log.addLogits(row, logits);
      log.addScores(row, logProbs);
      const keyOf = random ? (score: number) => score + gumbel(random) : (score: number) => score;
      for (let id = 0; id < vocabularySize; id++) {
        const score = Math.fround((logProbs[id] ?? 0) + beam.score);
        const key = score === -Infinity ? score : keyOf(score);
        if (key > list.threshold) list.insert(key, { beam, row, id, logProb: (logits[id] ?? 0) - total, score });
      }
      return total;
    });
    if (list.candidates.length === 0) throw notFinite(totals[0] ?? NaN);
    group.advance(list.candidates, isLate);
  };
}

/**
 * Gumbel noise. The largest sums of log-probabilities and such noise are samples without replacement, in order (Gumbel
 * top-k trick, Kool et al. 2019).
 */
function gumbel(random: Random): number {
  return -Math.log(-Math.log(random()));
}

async function extendBeams(decoding: Decoding, groups: readonly BeamGroup[], rows: number): Promise<Logits> {
  const beams = groups.flatMap((group) => group.beams);
  const parents = beams.map((beam) => beam.source);
  const isUnchanged = parents.length === rows && parents.every((parent, index) => parent === index);
  for (const [row, beam] of beams.entries()) beam.source = row;
  return decoding.extend({ ids: beams.map((beam) => beam.newIds.slice(-1)), ...(!isUnchanged && { parents }) });
}

function createOutput(groups: readonly BeamGroup[], settings: SearchSettings, log: ScoreLog): GenerateOutput {
  const { numReturnSequences, returnPrompt, promptIds, padTokenId, eosTokenIds, doSample, seed } = settings;
  const rows = groups.flatMap((group, index) =>
    group
      .best(numReturnSequences)
      .map((hypothesis) => ({ ...hypothesis, prompt: (returnPrompt && promptIds[index]) || [] })),
  );
  // HF treats a pad id of 0 (that of T5) as unset and pads the rows of a beam search with the end token.
  const filler = padTokenId || (eosTokenIds[0] ?? padTokenId);
  return {
    sequences: padRows(
      rows.map(({ prompt, newIds }) => [...prompt, ...newIds]),
      filler,
    ),
    sequencesScores: rows.map(({ score }) => score),
    tokenLogProbs: rows.map(({ logProbs }) => [...logProbs]),
    finishReasons: rows.map(({ finishReason }) => finishReason ?? 'aborted'),
    beamIndices: rows.map(({ beamIndices }) => [...beamIndices]),
    ...log.output(),
    ...(doSample && { seed }),
  };
}
