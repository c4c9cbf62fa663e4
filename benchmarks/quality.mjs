/**
 * What precisions cost in quality: node benchmarks/quality.mjs [RESULT.json] [SCENES]. The demo checkpoints say at each
 * precision what is in the evaluation scenes
 * (all 200 unless told otherwise); against the truth, and token by token against what was recorded in float32. Then the
 * error of the scores along the recorded
 * captions, one step per token, and the bytes of the converted parts. No times: they are not what the demo checkpoints
 * are for.
 */
import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { Blip2, Blip2Retrieval } from '@blip2/blip2';

import { relativeError } from './statistics.mjs';

const PRECISIONS = ['fp32', 'int8', 'q8', 'q4', 'fast', 'small'];
const BATCH = 20;
/** Scenes along whose captions scores are compared. */
const SCORED = 20;
const here = (path) => fileURLToPath(new URL(path, import.meta.url));
const [result = here('results/quality.json'), limit = '200'] = process.argv.slice(2);
const lines = async (name) =>
  (await readFile(here(`../apps/cli/evaluation/${name}`), 'utf8'))
    .trim()
    .split('\n')
    .slice(0, Number(limit))
    .map((line) => JSON.parse(line));
const [scenes, expected] = [await lines('scenes.jsonl'), await lines('expected.jsonl')];
const images = scenes.map(({ image }) => here(`../apps/cli/evaluation/${image}`));
const same = (a, b) => JSON.stringify(a) === JSON.stringify(b);

function* batches(count) {
  for (let begin = 0; begin < count; begin += BATCH) yield [begin, Math.min(begin + BATCH, count)];
}

/** Scores before each token of the recorded captions. */
async function scores(blip2, kind) {
  const all = [];
  for (const [index, image] of images.slice(0, SCORED).entries()) {
    const { pixelValues } = await blip2.processor.process({ images: [image] });
    const prefix = await blip2.pipeline.encodeImages(pixelValues);
    const decoding = await blip2.pipeline.language.start(await blip2.pipeline.embedPrompt({ pixelValues: prefix }));
    all.push(decoding.logits.data.slice());
    for (const id of expected[index][kind].caption.ids.slice(0, -1))
      all.push((await decoding.extend({ ids: [[id]] })).data.slice());
    await decoding[Symbol.asyncDispose]();
  }
  return all;
}

async function generation(kind, dtype, convertedDir, reference) {
  const blip2 = await Blip2.fromPretrained(here(`../apps/cli/models/blip2-${kind}-shapes`), { dtype, convertedDir });
  const row = {
    checkpoint: kind,
    dtype,
    captions: scenes.length,
    captionsRight: 0,
    captionsSame: 0,
    answers: 0,
    answersRight: 0,
    answersSame: 0,
  };
  for (const [begin, end] of batches(scenes.length)) {
    const captions = await blip2.caption(images.slice(begin, end), { maxNewTokens: 32 });
    captions.forEach(({ text, tokenIds }, i) => {
      row.captionsRight += text === scenes[begin + i].caption;
      row.captionsSame += same(tokenIds, expected[begin + i][kind].caption.ids);
    });
    const asked = scenes.slice(begin, end).flatMap(({ questions }, i) =>
      questions.map((question, at) => ({
        ...question,
        image: images[begin + i],
        ids: expected[begin + i][kind].questions[at].ids,
      })),
    );
    const answers = await blip2.answer(
      asked.map(({ image }) => image),
      asked.map(({ question }) => question),
      { maxNewTokens: 32 },
    );
    answers.forEach(({ text, tokenIds }, i) => {
      row.answers++;
      row.answersRight += text === asked[i].answer;
      row.answersSame += same(tokenIds, asked[i].ids);
    });
  }
  const own = await scores(blip2, kind);
  row.scoreError = reference
    ? relativeError(
        own.flatMap((row) => [...row]),
        reference.flatMap((row) => [...row]),
      )
    : 0;
  await blip2.dispose();
  return [row, own];
}

/** A true caption is to match its image, and one with a false detail is not. */
async function matching(dtype, convertedDir) {
  const retrieval = await Blip2Retrieval.fromPretrained(here('../apps/cli/models/blip2-itm-shapes'), {
    dtype,
    convertedDir,
  });
  const row = { checkpoint: 'itm', dtype, pairs: 0, pairsRight: 0, largestProbabilityError: 0 };
  for (const [index, { caption, false_caption }] of scenes.entries()) {
    const [scored] = await retrieval.match([images[index]], [caption, false_caption]);
    for (const [at, key] of ['true', 'false'].entries()) {
      const [no, yes] = expected[index].itm[key].logits;
      row.pairs++;
      row.pairsRight += scored[at].itm > 0.5 === (key === 'true');
      row.largestProbabilityError = Math.max(
        row.largestProbabilityError,
        Math.abs(scored[at].itm - 1 / (1 + Math.exp(no - yes))),
      );
    }
  }
  await retrieval.dispose();
  return row;
}

async function bytesByPart(folder) {
  const names = await readdir(join(folder, 'weights')).catch(() => []);
  const sizes = await Promise.all(
    names.map(async (name) => [
      name.replace(/-[0-9a-f]{32}\.safetensors$/, ''),
      (await stat(join(folder, 'weights', name))).size,
    ]),
  );
  const total = {};
  for (const [part, size] of sizes) total[part] = (total[part] ?? 0) + size;
  return total;
}

const rows = [];
for (const kind of ['opt', 't5', 'itm']) {
  let reference;
  for (const dtype of PRECISIONS) {
    const convertedDir = await mkdtemp(join(tmpdir(), 'blip2-quality-'));
    const [row, own] =
      kind === 'itm' ? [await matching(dtype, convertedDir)] : await generation(kind, dtype, convertedDir, reference);
    reference ??= own;
    rows.push({ ...row, convertedBytes: await bytesByPart(convertedDir) });
    await rm(convertedDir, { recursive: true });
    console.error(JSON.stringify(rows.at(-1)));
  }
}
await writeFile(
  result,
  `${JSON.stringify({ command: `node benchmarks/quality.mjs`, scenes: scenes.length, node: process.version, rows }, undefined, 2)}\n`,
);
