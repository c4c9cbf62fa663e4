import { writeFile } from 'node:fs/promises';

import {
  Blip2,
  Blip2Retrieval,
  contrastScore,
  type ImageScore,
  likelihoodScore,
  matchScore,
  occlusionMap,
  type OcclusionMode,
  type OcclusionOptions,
  openCheckpointParts,
  queryAttention,
  questionPrompt,
} from '@blip2/blip2';

import { resultPath } from '../../repository.ts';
import { resultText } from '../json-program.ts';
import { demoFolder, imagePath, readScenes, type Scene, type SceneObject } from './evaluation.ts';
import { type ImageMap, PointingCounts } from './pointing-counts.ts';

const BATCH = 24;

/**
 * `heatmap-pointing.js [RESULT.json] [SCENES] [OPTIONS as JSON]`: whether heatmaps point at what a text is about. Uses
 * the demo checkpoints on the evaluation scenes, where the positions of objects are known. Next to occlusion
 * (`occlusionMap`) it measures the attention of the queries (`queryAttention`), which does not depend on a text, and
 * chance: the share of the image that the objects cover. No times: the demo checkpoints are too small for them.
 */
export async function command(args: readonly string[]): Promise<void> {
  const [result = resultPath('heatmap-pointing.json'), limit = '24', given = '{}'] = args;
  const options = JSON.parse(given) as OcclusionOptions;
  await using models = await openModels();
  const tests = {
    caption: new PointingCounts('the whole caption of a scene; any of its objects is a hit'),
    phrase: new PointingCounts(
      'one object of a scene with several, such as "a small red triangle"; that object (or its like) is a hit',
    ),
    answer: new PointingCounts(
      'the right answer to a question about one object of a scene with several, ' +
        'such as "what color is the triangle?"; that object is a hit',
    ),
  };
  const scenes = readScenes(Number(limit));
  let images = 0;
  for (const scene of scenes) {
    const maps = await sceneMaps(models, scene, options, (runs) => (images += runs));
    await measureCaption(tests.caption, maps, scene);
    if (scene.objects.length < 2) continue;
    await measurePhrase(tests.phrase, maps, scene);
    await measureAnswer(tests.answer, maps, scene);
  }
  const report = {
    scenes: scenes.length,
    options: { cells: 16, windowCells: 4, fill: 'mean', ...options },
    images,
    tests: Object.fromEntries(Object.entries(tests).map(([name, counts]) => [name, counts.result()])),
  };
  await writeFile(result, resultText(report));
  console.log(resultText(report));
}

async function openModels() {
  const retrieval = await Blip2Retrieval.fromPretrained(demoFolder('itm'), { threads: 1 });
  const blip2 = await Blip2.fromPretrained(demoFolder('opt'), { threads: 1 });
  const parts = {
    itm: await openCheckpointParts(demoFolder('itm'), { threads: 1 }),
    opt: await openCheckpointParts(demoFolder('opt'), { threads: 1 }),
  };
  return {
    retrieval,
    blip2,
    attending: {
      itm: { vision: await parts.itm.vision(), qformer: await parts.itm.qformer() },
      opt: { vision: await parts.opt.vision(), qformer: await parts.opt.qformer() },
    },
    async [Symbol.asyncDispose]() {
      for (const model of [retrieval, blip2, parts.itm, parts.opt]) await model[Symbol.asyncDispose]();
    },
  };
}
type Models = Awaited<ReturnType<typeof openModels>>;

/** The maps of one scene. */
interface SceneMaps extends Pick<Models, 'blip2'> {
  readonly matching: Parameters<typeof matchScore>[0];
  readonly attention: Readonly<Record<'itm' | 'opt', ImageMap>>;
  occlude(score: ImageScore, mode: OcclusionMode): Promise<ImageMap>;
}

async function sceneMaps(
  { retrieval, blip2, attending }: Models,
  scene: Scene,
  options: OcclusionOptions,
  onRuns: (runs: number) => void,
): Promise<SceneMaps> {
  const { pixelValues } = await retrieval.processor.process({ images: [imagePath(scene)] });
  return {
    blip2,
    matching: { ...retrieval.model, processor: retrieval.processor },
    attention: {
      itm: await queryAttention(attending.itm, pixelValues),
      opt: await queryAttention(attending.opt, pixelValues),
    },
    async occlude(score, mode) {
      const { map, runs } = await occlusionMap(pixelValues, score, { mode, batchSize: BATCH, ...options });
      onRuns(runs);
      return map;
    },
  };
}

async function measureCaption(counts: PointingCounts, maps: SceneMaps, { caption, objects }: Scene): Promise<void> {
  const { attention, occlude, matching, blip2 } = maps;
  counts.record('attention, retrieval checkpoint', attention.itm, objects);
  counts.record('attention, generation checkpoint', attention.opt, objects);
  for (const mode of ['hide', 'keep'] as const)
    counts.record(`occlusion, ITM, ${mode}`, await occlude(matchScore(matching, caption), mode), objects);
  counts.record('occlusion, writing, hide', await occlude(likelihoodScore(blip2, caption), 'hide'), objects);
  counts.recordChance(objects);
}

async function measurePhrase(counts: PointingCounts, maps: SceneMaps, { objects }: Scene): Promise<void> {
  const { attention, occlude, matching } = maps;
  const [first] = objects;
  const phrase = first === undefined ? '' : phraseOf(first);
  const targets = objects.filter((object) => phraseOf(object) === phrase);
  counts.record('attention, retrieval checkpoint', attention.itm, targets);
  for (const mode of ['hide', 'keep', 'both'] as const)
    counts.record(`occlusion, ITM, ${mode}`, await occlude(matchScore(matching, phrase), mode), targets);
  counts.record('occlusion, ITC, both', await occlude(contrastScore(matching, phrase), 'both'), targets);
  counts.recordChance(targets);
}

async function measureAnswer(counts: PointingCounts, maps: SceneMaps, { objects, questions }: Scene): Promise<void> {
  const { attention, occlude, blip2 } = maps;
  const asked = questions.find(({ question }) => subjects(question, objects).length > 0);
  if (asked === undefined) return;
  const targets = subjects(asked.question, objects);
  const score = likelihoodScore(blip2, asked.answer, { prompt: questionPrompt(asked.question) });
  counts.record('attention, generation checkpoint', attention.opt, targets);
  counts.record('occlusion, writing, hide', await occlude(score, 'hide'), targets);
  counts.recordChance(targets);
}

/** An object as captions describe it: `a small red triangle`. */
function phraseOf({ size, color, shape }: SceneObject): string {
  const words = `${size === 'medium' ? '' : `${size} `}${color} ${shape}`;
  return `${/^[aeiou]/.test(words) ? 'an' : 'a'} ${words}`;
}

/** The objects that a question such as `what color is the small star?` is about; none for other questions. */
function subjects(question: string, objects: readonly SceneObject[]): readonly SceneObject[] {
  const words = /^what (?:color|shape|size) is the (.+)\?$/
    .exec(question)?.[1]
    ?.split(' ')
    .filter((word) => word !== 'object');
  return words === undefined
    ? []
    : objects.filter(({ size, color, shape }) => words.every((word) => [size, color, shape].includes(word)));
}
