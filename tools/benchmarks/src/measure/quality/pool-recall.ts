import { writeFile } from 'node:fs/promises';

import { Blip2Retrieval } from '@blip2/blip2';
import type { Tensor } from '@blip2/interfaces';

import { resultPath } from '../../repository.ts';
import { resultText } from '../json-program.ts';
import { demoFolder, imagePath, readScenes, type Scene } from './evaluation.ts';
import { dot, POOLS, type Vector } from './pools.ts';

const BATCH = 20;
const RANKS = [1, 5, 10];

/**
 * `pool-recall.js [RESULT.json]`: how much retrieval quality one vector per image costs. The retrieval demo checkpoint
 * embeds the 200 evaluation scenes and their captions; captions are used to find images, and images to find captions.
 * BLIP-2 compares a text with every query of an image and takes the best; `--pool` reduces the queries to one vector.
 * Scenes with the same caption all count as correct. No times: the demo checkpoint is too small for them.
 */
export async function command([result = resultPath('pool-recall.json')]: readonly string[]): Promise<void> {
  const scenes = readScenes();
  const texts = [...new Set(scenes.map(({ caption }) => caption))];
  const { images, captions } = await embedAll(scenes, texts);
  const isRight = (image: number, text: number): boolean => scenes[image]?.caption === texts[text];
  const rows = Object.entries(POOLS).map(([pool, vectorsOf]) => {
    const pooled = images.map(vectorsOf);
    const score = (image: number, text: number): number =>
      Math.max(...pooled[image]!.map((vector) => dot(vector, captions[text]!)));
    return {
      pool,
      vectorsPerImage: pooled[0]?.length,
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
  const about = { checkpoint: 'blip2-itm-shapes', images: scenes.length, captions: texts.length };
  const command = 'node tools/benchmarks/bin/pool-recall.js';
  await writeFile(result, resultText({ command, ...about, queries: images[0]?.length, node: process.version, rows }));
  for (const { pool, captionToImage, imageToCaption } of rows) {
    const shares = [...Object.values(captionToImage), ...Object.values(imageToCaption)];
    console.log(pool.padEnd(20), ...shares.map((share) => `${(100 * share).toFixed(1)} %`.padStart(8)));
  }
}

/** The query vectors of each image, and one vector per text. */
async function embedAll(
  scenes: readonly Scene[],
  texts: readonly string[],
): Promise<{ images: readonly (readonly Vector[])[]; captions: readonly Vector[] }> {
  const retrieval = await Blip2Retrieval.fromPretrained(demoFolder('itm'));
  const images: (readonly Vector[])[] = [];
  const captions: Vector[] = [];
  for (let begin = 0; begin < scenes.length; begin += BATCH) {
    const paths = scenes.slice(begin, begin + BATCH).map(imagePath);
    images.push(...(await retrieval.embed({ images: paths }, { part: 'image-proj' })).map(rowsOf));
  }
  for (let begin = 0; begin < texts.length; begin += BATCH) {
    const some = texts.slice(begin, begin + BATCH);
    captions.push(...(await retrieval.embed({ text: some }, { part: 'text-proj' })).map(({ data }) => [...data]));
  }
  await retrieval.dispose();
  return { images, captions };
}

function rowsOf({ dims: [rows = 0, size = 0], data }: Tensor<'float32'>): readonly Vector[] {
  return Array.from({ length: rows }, (_, row) => [...data.subarray(row * size, (row + 1) * size)]);
}

/**
 * Recall at each rank. `scores[query][candidate]`; among equal scores, wrong candidates come first.
 */
function recall(
  scores: readonly Vector[],
  isRight: (query: number, candidate: number) => boolean,
): Readonly<Record<string, number>> {
  const ranks = scores.map((row, query) => {
    const best = Math.max(...row.filter((_, candidate) => isRight(query, candidate)));
    return row.filter((score, candidate) => score >= best && !isRight(query, candidate)).length;
  });
  return Object.fromEntries(
    RANKS.map((rank) => [`recall@${rank}`, ranks.filter((each) => each < rank).length / ranks.length]),
  );
}
