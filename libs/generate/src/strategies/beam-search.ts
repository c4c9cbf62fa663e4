import type { Decoding, Logits } from '@blip2/interfaces';

import type { GenerateOutput, GenerationStep } from '../generate-output.ts';
import { logSumExp } from '../numeric/softmax.ts';
import { createRandom, type Random } from '../samplers/random.ts';
import type { SearchSettings } from '../search-settings.ts';
import { type BeamGroup, createBeamGroup } from './beam-group.ts';
import { type Candidate, createCandidateList } from './candidate-list.ts';
import { notFinite } from './not-finite.ts';
import { padRows } from './pad-rows.ts';
import { createScoreLog, type ScoreLog } from './score-log.ts';
import type { Search } from './search.ts';

/**
 * Beam search, or with `doSample` beam sampling. Reference: `GenerationMixin._beam_search`. Per step each prompt's
 * beams share one list of the best
 * `numBeams * max(2, 1 + end tokens)` candidates; in sampling they are drawn without replacement. Prompts that cannot
 * improve leave the decoding;
 * only where scores of every step are wanted do they go on, as in the reference.
 */
export function createBeamSearch(settings: SearchSettings): Search {
  const { numBeams, seed, doSample, signal } = settings;
  const groups = Array.from({ length: settings.rows }, (_, prompt) => ({
    prompt,
    group: createBeamGroup(prompt, settings),
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
      live = live.filter(({ group }) => log.keepsAny || group.isOpen);
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

/** Scores every continuation of a group's beams and lets the group choose. */
function createStep(
  settings: SearchSettings,
  log: ScoreLog,
): (group: BeamGroup, firstRow: number, logits: Logits, isLate: boolean, random?: Random) => void {
  const { processors, numBeams, eosTokenIds, vocabularySize, toleratesNaN } = settings;
  const logProbs = new Float32Array(vocabularySize);
  const numCandidates = Math.max(2, 1 + eosTokenIds.length) * numBeams;
  return (group, firstRow, { data }, isLate, random) => {
    const rowOf = (beam: number): Float32Array =>
      data.subarray(group.beams[beam]!.source * vocabularySize, (group.beams[beam]!.source + 1) * vocabularySize);
    const list = createCandidateList(numCandidates);
    const totals = group.beams.map((beam, index) => {
      const logits = rowOf(index);
      const total = logSumExp(logits);
      if (Number.isNaN(total) && !toleratesNaN) throw notFinite(total);
      for (let id = 0; id < vocabularySize; id++) logProbs[id] = logits[id]! - total;
      for (const process of processors) process(beam.ids, logProbs);
      log.addLogits(firstRow + index, logits);
      log.addScores(firstRow + index, logProbs);
      const key = random ? (score: number) => score + gumbel(random) : (score: number) => score;
      for (let id = 0; id < vocabularySize; id++) {
        const score = Math.fround(logProbs[id]! + beam.score);
        const place = score === -Infinity ? score : key(score);
        if (place > list.threshold) list.insert(place, { beam: index, id, score });
      }
      return total;
    });
    if (list.candidates.length === 0) throw notFinite(totals[0]!);
    group.advance(list.candidates, ({ beam, id }: Candidate) => rowOf(beam)[id]! - totals[beam]!, isLate);
  };
}

/**
 * The largest of scores plus such noise are draws without replacement from their softmax, in order (Gumbel top-k, Kool
 * et al. 2019).
 */
function gumbel(random: Random): number {
  return -Math.log(-Math.log(random()));
}

async function extendBeams(decoding: Decoding, groups: readonly BeamGroup[], rows: number): Promise<Logits> {
  const beams = groups.flatMap((group) => group.beams);
  const parents = beams.map((beam) => beam.source);
  const isUnchanged = parents.length === rows && parents.every((parent, index) => parent === index);
  for (const [row, beam] of beams.entries()) beam.source = row;
  return decoding.extend({ ids: beams.map((beam) => [beam.newIds.at(-1)!]), ...(!isUnchanged && { parents }) });
}

function createOutput(groups: readonly BeamGroup[], settings: SearchSettings, log: ScoreLog): GenerateOutput {
  const { numReturnSequences, returnPrompt, promptIds, padTokenId, eosTokenIds, doSample, seed } = settings;
  const rows = groups.flatMap((group, prompt) =>
    group
      .best(numReturnSequences)
      .map((hypothesis) => ({ ...hypothesis, prompt: returnPrompt ? promptIds[prompt]! : [] })),
  );
  // The reference takes a pad id of 0 (T5's) for none, and fills the rows of a beam search with the end token instead.
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
