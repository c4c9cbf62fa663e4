/**
 * What a second question about an image costs: node benchmarks/second-question.mjs [FOLDER|demo] [IMAGE] [RESULT.json].
 * Counts the images that the vision encoder
 * reads and the positions that the language model reads before it writes, for an image given anew, an encoded one, and
 * a conversation; times for information.
 * Fails if an encoded image costs vision work or, with a causal model, a prefill of its positions. Default: both demo
 * checkpoints.
 */
import { writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

import { Blip2, createBlip2 } from '@blip2/blip2';
import { watchLanguageModel } from '@blip2/testing';

const at = (name) => fileURLToPath(new URL(`../${name}`, import.meta.url));
const [folder = 'demo', image = at('examples/left-of.png'), result] = process.argv.slice(2);
const folders = folder === 'demo' ? ['opt', 't5'].map((kind) => at(`apps/cli/models/blip2-${kind}-shapes`)) : [folder];
const questions = ['what color is the triangle?', 'how many objects are there?', 'what shape is on the left?'];
const options = { maxNewTokens: 8 };

const rows = [];
for (const source of folders) {
  const loaded = await Blip2.fromPretrained(source);
  const { vision, qformer, projection, language } = loaded.pipeline;
  let count;
  const counting = {
    imageSize: vision.imageSize,
    hiddenSize: vision.hiddenSize,
    encode: (...call) => ((count.images += call[0].dims[0]), vision.encode(...call)),
    [Symbol.asyncDispose]: () => vision[Symbol.asyncDispose](),
  };
  // Single positions are the tokens that are written.
  const watched = watchLanguageModel(
    language,
    ({ rows: many, positions }) => (count.prefilled += positions > 1 ? many * positions : 0),
  );
  const blip2 = createBlip2({ vision: counting, qformer, projection, language: watched, processor: loaded.processor });
  const measure = async (way, ask) => {
    for (const [index, question] of questions.entries()) {
      count = { images: 0, prefilled: 0 };
      const start = performance.now();
      const { text } = await ask(question);
      rows.push({
        architecture: language.architecture,
        way,
        question: index + 1,
        imagesEncoded: count.images,
        positionsPrefilled: count.prefilled,
        milliseconds: Math.round((performance.now() - start) * 10) / 10,
        text,
      });
      console.log(JSON.stringify(rows.at(-1)));
    }
  };
  count = { images: 0, prefilled: 0 };
  // Opens the sessions.
  await blip2.answer(image, questions[0], options);
  await measure('given anew', (question) => blip2.answer(image, question, options));
  const encoded = await blip2.encode(image);
  await measure('encoded', (question) => blip2.answer(encoded, question, options));
  const conversation = await blip2.chat(image, options);
  await measure('conversation', (question) => conversation.ask(question));
  await conversation.dispose();
  const rowOf = (way, question) =>
    rows.findLast((row) => row.architecture === language.architecture && row.way === way && row.question === question);
  for (const question of [2, 3]) {
    const saved = rowOf('given anew', question).positionsPrefilled - rowOf('encoded', question).positionsPrefilled;
    if (
      rowOf('encoded', question).imagesEncoded > 0 ||
      (language.architecture === 'causal' && saved !== qformer.numQueryTokens)
    )
      process.exitCode = 1;
  }
  await blip2.dispose();
}
console.log(
  process.exitCode === 1
    ? 'A second question costs what it should not.'
    : 'A second question costs no vision work and, with a causal model, no prefill of the image.',
);
if (result)
  writeFileSync(
    result,
    `${JSON.stringify({ command: `node benchmarks/second-question.mjs ${process.argv.slice(2).join(' ')}`, node: process.version, rows }, undefined, 2)}\n`,
  );
