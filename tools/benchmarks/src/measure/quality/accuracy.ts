import { writeFileSync } from 'node:fs';

import { Blip2 } from '@blip2/blip2';
import { mustBe } from '@blip2/interfaces';

import type { AccuracyFile, Share } from '../../report/result-files.ts';
import { resultText } from '../json-program.ts';
import { demoFolder, readExpected, readScenes } from './evaluation.ts';
import { countCorrectTexts } from './score-texts.ts';

const BATCH = 10;

/**
 * `accuracy.js opt|t5 [BEAMS] [RESULT.json]`: how many captions and answers of the evaluation scenes a demo checkpoint
 * gets right, greedily and with beam search, and whether its greedy tokens equal those of Transformers.
 */
export async function command(args: readonly string[]): Promise<void> {
  const [kind, beams = '5', result] = args;
  if (kind !== 'opt' && kind !== 't5') throw mustBe('the first argument', "'opt' or 't5'", kind);
  const [scenes, expected] = [readScenes(), readExpected()];
  const blip2 = await Blip2.fromPretrained(demoFolder(kind), { threads: 1 });
  const rows: AccuracyFile['rows'][number][] = [];
  for (const numBeams of [1, Number(beams)]) {
    const start = performance.now();
    const counts = await countCorrectTexts(blip2, kind, scenes, expected, { batch: BATCH, numBeams });
    const { captions, answers } = counts;
    const share = (correct: number, of: number): Share => ({ correct, of });
    const same = {
      captions: share(counts.captionsSame, captions),
      answers: share(counts.answersSame, answers),
    };
    const row = {
      numBeams,
      captions: share(counts.captionsRight, captions),
      answers: share(counts.answersRight, answers),
      ...(numBeams === 1 && { sameTokensAsReference: same }),
      seconds: Math.round((performance.now() - start) / 100) / 10,
    };
    rows.push(row);
    console.log(JSON.stringify(row));
  }
  await blip2.dispose();
  if (result === undefined) return;
  const command = `node tools/benchmarks/bin/accuracy.js ${kind} ${beams} ${result}`;
  writeFileSync(result, resultText({ command, checkpoint: `blip2-${kind}-shapes`, node: process.version, rows }));
}
