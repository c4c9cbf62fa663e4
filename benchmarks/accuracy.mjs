/**
 * How many captions and answers of the evaluation scenes a demo checkpoint gets right, greedy and with beams, and
 * whether its greedy tokens are those that the
 * reference wrote: node benchmarks/accuracy.mjs opt|t5 [BEAMS] [RESULT.json]. Scenes and recorded tokens:
 * apps/cli/evaluation.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

import { Blip2 } from '@blip2/blip2';

const [kind, beams = '5', result] = process.argv.slice(2);
const at = (name) => fileURLToPath(new URL(`../apps/cli/${name}`, import.meta.url));
const lines = (name) =>
  readFileSync(at(`evaluation/${name}`), 'utf8')
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line));
const [scenes, expected] = [lines('scenes.jsonl'), lines('expected.jsonl')];
/** As the recorded tokens were written. */
const LENGTH = { maxNewTokens: 32 };
const SCENES_AT_A_TIME = 10;

const blip2 = await Blip2.fromPretrained(at(`models/blip2-${kind}-shapes`), { threads: 1 });
const rows = [];
for (const numBeams of [1, Number(beams)]) {
  const start = performance.now();
  const count = { captions: 0, answers: 0, sameCaptions: 0, sameAnswers: 0, questions: 0 };
  for (let first = 0; first < scenes.length; first += SCENES_AT_A_TIME) {
    const some = scenes.slice(first, first + SCENES_AT_A_TIME);
    const images = await blip2.encode(some.map(({ image }) => at(`evaluation/${image}`)));
    const captions = await blip2.caption(images, { ...LENGTH, numBeams });
    const pairs = some.flatMap(({ questions }, index) =>
      questions.map((question, asked) => ({
        ...question,
        image: images[index],
        recorded: expected[first + index][kind].questions[asked].ids,
      })),
    );
    const answers = await blip2.answer(
      pairs.map(({ image }) => image),
      pairs.map(({ question }) => question),
      { ...LENGTH, numBeams },
    );
    captions.forEach(({ text, tokenIds }, index) => {
      count.captions += Number(text === some[index].caption);
      count.sameCaptions += Number(String(tokenIds) === String(expected[first + index][kind].caption.ids));
    });
    answers.forEach(({ text, tokenIds }, index) => {
      count.answers += Number(text === pairs[index].answer);
      count.sameAnswers += Number(String(tokenIds) === String(pairs[index].recorded));
    });
    count.questions += pairs.length;
    for (const image of images) await image[Symbol.asyncDispose]();
  }
  const share = (correct, all) => ({ correct, of: all });
  rows.push({
    numBeams,
    captions: share(count.captions, scenes.length),
    answers: share(count.answers, count.questions),
    ...(numBeams === 1 && {
      sameTokensAsReference: {
        captions: share(count.sameCaptions, scenes.length),
        answers: share(count.sameAnswers, count.questions),
      },
    }),
    seconds: Math.round((performance.now() - start) / 100) / 10,
  });
  console.log(JSON.stringify(rows.at(-1)));
}
await blip2.dispose();
if (result)
  writeFileSync(
    result,
    `${JSON.stringify({ command: `node benchmarks/accuracy.mjs ${kind} ${beams} ${result}`, checkpoint: `blip2-${kind}-shapes`, node: process.version, rows }, undefined, 2)}\n`,
  );
