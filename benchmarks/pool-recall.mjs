/**
 * What one vector per image costs in retrieval: node benchmarks/pool-recall.mjs [RESULT.json]. The demo checkpoint for
 * retrieval embeds the 200 evaluation scenes and their captions; captions look
 * for images, and images for captions. BLIP-2 compares a text with every query of an image and takes the best; `--pool`
 * makes one vector of the queries. Scenes with the same caption are all right.
 * No times: they are not what the demo checkpoint is for.
 */
import { readFile, writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';

import { Blip2Retrieval } from '@blip2/blip2';

const BATCH = 20;
const AT = [1, 5, 10];
const here = (path) => fileURLToPath(new URL(path, import.meta.url));
const [result = here('results/pool-recall.json')] = process.argv.slice(2);
const scenes = (await readFile(here('../apps/cli/evaluation/scenes.jsonl'), 'utf8'))
  .trim()
  .split('\n')
  .map((line) => JSON.parse(line));
const texts = [...new Set(scenes.map(({ caption }) => caption))];

const dot = (a, b) => a.reduce((sum, value, index) => sum + value * b[index], 0);
const unit = (vector) => {
  const length = Math.sqrt(dot(vector, vector));
  return vector.map((value) => value / length);
};
const columns = (rows, combine) => rows[0].map((_, column) => combine(rows.map((row) => row[column])));
const sum = (values) => values.reduce((total, value) => total + value, 0);
const mean = (rows) => columns(rows, (values) => sum(values) / values.length);

/** The query that is most like all of them. */
function medoid(rows) {
  const likeness = rows.map((row) => sum(rows.map((other) => dot(row, other))));
  return rows[likeness.indexOf(Math.max(...likeness))];
}

/** The direction that most of all queries lie along: power iteration, from their mean. */
function principal(rows) {
  let direction = unit(mean(rows));
  for (let step = 0; step < 50; step++)
    direction = unit(mean(rows.map((row) => row.map((value) => value * dot(row, direction)))));
  return direction;
}

/** `[queries][size]`, each of length 1, to the vectors that a text is compared with: the best one counts. */
const POOLS = {
  'every query': (rows) => rows,
  mean: (rows) => [mean(rows)],
  'mean, length 1': (rows) => [unit(mean(rows))],
  first: (rows) => [rows[0]],
  max: (rows) => [columns(rows, (values) => Math.max(...values))],
  'max, length 1': (rows) => [unit(columns(rows, (values) => Math.max(...values)))],
  medoid: (rows) => [medoid(rows)],
  'principal direction': (rows) => [principal(rows)],
};

async function embedded() {
  const retrieval = await Blip2Retrieval.fromPretrained(here('../apps/cli/models/blip2-itm-shapes'));
  const rowsOf = ({ dims: [rows, size], data }) =>
    size === undefined
      ? [...data]
      : Array.from({ length: rows }, (_, row) => [...data.subarray(row * size, (row + 1) * size)]);
  const [images, words] = [[], []];
  for (let begin = 0; begin < scenes.length; begin += BATCH) {
    const paths = scenes.slice(begin, begin + BATCH).map(({ image }) => here(`../apps/cli/evaluation/${image}`));
    images.push(...(await retrieval.embed({ images: paths }, { part: 'image-proj' })).map(rowsOf));
  }
  for (let begin = 0; begin < texts.length; begin += BATCH)
    words.push(
      ...(await retrieval.embed({ text: texts.slice(begin, begin + BATCH) }, { part: 'text-proj' })).map(rowsOf),
    );
  await retrieval.dispose();
  return { images, words };
}

/**
 * Of `scores[asked][candidate]`, how many have a right candidate among the first `n`; at equal scores, wrong ones come
 * first.
 */
function recall(scores, isRight) {
  const ranks = scores.map((row, asked) => {
    const best = Math.max(...row.filter((_, candidate) => isRight(asked, candidate)));
    return row.filter((score, candidate) => score >= best && !isRight(asked, candidate)).length;
  });
  return Object.fromEntries(AT.map((n) => [`recall@${n}`, ranks.filter((rank) => rank < n).length / ranks.length]));
}

const { images, words } = await embedded();
const rows = Object.entries(POOLS).map(([pool, vectorsOf]) => {
  const pooled = images.map(vectorsOf);
  const score = (image, text) => Math.max(...pooled[image].map((vector) => dot(vector, words[text])));
  const isRight = (image, text) => scenes[image].caption === texts[text];
  return {
    pool,
    vectorsPerImage: pooled[0].length,
    captionToImage: recall(
      texts.map((_, text) => scenes.map((__, image) => score(image, text))),
      (text, image) => isRight(image, text),
    ),
    imageToCaption: recall(
      scenes.map((_, image) => texts.map((__, text) => score(image, text))),
      isRight,
    ),
  };
});
await writeFile(
  result,
  `${JSON.stringify({ command: 'node benchmarks/pool-recall.mjs', checkpoint: 'blip2-itm-shapes', images: scenes.length, captions: texts.length, queries: images[0].length, node: process.version, rows }, null, 2)}\n`,
);
for (const { pool, captionToImage, imageToCaption } of rows)
  console.log(
    pool.padEnd(20),
    ...[...Object.values(captionToImage), ...Object.values(imageToCaption)].map((share) =>
      `${(100 * share).toFixed(1)} %`.padStart(8),
    ),
  );
