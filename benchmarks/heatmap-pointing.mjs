/**
 * Do heat maps point at what the text is about? node benchmarks/heatmap-pointing.mjs [RESULT.json] [SCENES] [OPTIONS as
 * JSON]
 * The demo checkpoints on the evaluation scenes, whose objects have known places. A map hits if its brightest cell's
 * centre lies on an object that it is to point at,
 * inside the circle around the object. Beside occlusion (`occlusionMap`) stands the attention of the queries
 * (`queryAttention`), which reads no text, and chance: the
 * share of the image inside these circles. No times: they are not what the demo checkpoints are for.
 */
import { readFile, writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';

import {
  Blip2,
  Blip2Retrieval,
  contrastScore,
  likelihoodScore,
  matchScore,
  occlusionMap,
  openCheckpointParts,
  queryAttention,
  questionPrompt,
} from '@blip2/blip2';

const here = (path) => fileURLToPath(new URL(path, import.meta.url));
const [result = here('results/heatmap-pointing.json'), limit = '24', given = '{}'] = process.argv.slice(2);
const options = JSON.parse(given);
/** Places of objects are told on a canvas of this side, whatever size the image was saved in. */
const CANVAS = 64;
const MODELS = { itm: here('../apps/cli/models/blip2-itm-shapes'), opt: here('../apps/cli/models/blip2-opt-shapes') };

const scenes = (await readFile(here('../apps/cli/evaluation/scenes.jsonl'), 'utf8'))
  .trim()
  .split('\n')
  .slice(0, Number(limit))
  .map((line) => JSON.parse(line));
const retrieval = await Blip2Retrieval.fromPretrained(MODELS.itm, { threads: 1 });
const blip2 = await Blip2.fromPretrained(MODELS.opt, { threads: 1 });
const itmParts = await openCheckpointParts(MODELS.itm, { threads: 1 });
const matching = { ...retrieval.model, processor: retrieval.processor };
const looking = {
  itm: { vision: await itmParts.vision(), qformer: await itmParts.qformer() },
  opt: blip2.pipeline,
};

/** Where the map is brightest, on the canvas. */
function peak({ dims: [rows, columns], data }) {
  const at = data.reduce((best, value, index) => (value > data[best] ? index : best), 0);
  return { x: (((at % columns) + 0.5) / columns) * CANVAS, y: ((Math.floor(at / columns) + 0.5) / rows) * CANVAS };
}
const circle = (point, { x, y, r }) => Math.hypot(point.x - x, point.y - y) <= r;

/** Counts by the name of the test and of the map. */
const tests = {};
function record(test, name, map, targets) {
  const counts = (((tests[test] ??= {}).maps ??= {})[name] ??= { hits: 0, of: 0 });
  const point = peak(map);
  counts.of++;
  if (targets.some((target) => circle(point, target))) counts.hits++;
}
function recordChance(test, targets) {
  const grid = Array.from({ length: CANVAS ** 2 }, (_, index) => ({
    x: (index % CANVAS) + 0.5,
    y: Math.floor(index / CANVAS) + 0.5,
  }));
  ((tests[test] ??= {}).chances ??= []).push(
    grid.filter((point) => targets.some((target) => circle(point, target))).length / grid.length,
  );
}

/** An object of the scene in words, as captions say it. */
const phraseOf = ({ size, color, shape }) => {
  const words = `${size === 'medium' ? '' : `${size} `}${color} ${shape}`;
  return `${/^[aeiou]/.test(words) ? 'an' : 'a'} ${words}`;
};

/** The objects that a question such as "what color is the small star?" is about; none for other questions. */
function askedAbout({ question }, objects) {
  const words = /^what (?:color|shape|size) is the (.+)\?$/
    .exec(question)?.[1]
    ?.split(' ')
    .filter((word) => word !== 'object');
  return words === undefined
    ? []
    : objects.filter(({ size, color, shape }) => words.every((word) => [size, color, shape].includes(word)));
}

let runs = 0;
for (const { image, caption, objects, questions } of scenes) {
  const { pixelValues } = await retrieval.processor.process({ images: [here(`../apps/cli/evaluation/${image}`)] });
  const attention = {
    itm: await queryAttention(looking.itm, pixelValues),
    opt: await queryAttention(looking.opt, pixelValues),
  };
  const occlude = async (score, mode) => {
    const occluded = await occlusionMap(pixelValues, score, { mode, batchSize: 24, ...options });
    runs += occluded.runs;
    return occluded.map;
  };

  record('caption', 'attention, retrieval checkpoint', attention.itm, objects);
  record('caption', 'attention, generation checkpoint', attention.opt, objects);
  for (const mode of ['hide', 'keep'])
    record('caption', `occlusion, ITM, ${mode}`, await occlude(matchScore(matching, caption), mode), objects);
  record('caption', 'occlusion, writing, hide', await occlude(likelihoodScore(blip2, caption), 'hide'), objects);
  recordChance('caption', objects);

  const [first] = objects;
  if (objects.length > 1) {
    const phrase = phraseOf(first);
    const targets = objects.filter((object) => phraseOf(object) === phrase);
    record('phrase', 'attention, retrieval checkpoint', attention.itm, targets);
    for (const mode of ['hide', 'keep', 'both'])
      record('phrase', `occlusion, ITM, ${mode}`, await occlude(matchScore(matching, phrase), mode), targets);
    record('phrase', 'occlusion, ITC, both', await occlude(contrastScore(matching, phrase), 'both'), targets);
    recordChance('phrase', targets);

    const asked = questions.find((question) => askedAbout(question, objects).length > 0);
    if (asked) {
      const about = askedAbout(asked, objects);
      record('answer', 'attention, generation checkpoint', attention.opt, about);
      record(
        'answer',
        'occlusion, writing, hide',
        await occlude(likelihoodScore(blip2, asked.answer, { prompt: questionPrompt(asked.question) }), 'hide'),
        about,
      );
      recordChance('answer', about);
    }
  }
}

const ABOUT = {
  caption: 'the whole caption of a scene; any of its objects is a hit',
  phrase: 'one object of a scene with several, such as "a small red triangle"; that object (or its like) is a hit',
  answer:
    'the right answer to a question about one object of a scene with several, such as "what color is the triangle?"; that object is a hit',
};
const share = ({ hits, of }) => ({ hits, of, share: Number((hits / of).toFixed(3)) });
const report = {
  scenes: scenes.length,
  options: { cells: 16, windowCells: 4, fill: 'mean', ...options },
  images: runs,
  tests: Object.fromEntries(
    Object.entries(tests).map(([name, { maps, chances }]) => [
      name,
      {
        about: ABOUT[name],
        chance: Number((chances.reduce((sum, each) => sum + each, 0) / chances.length).toFixed(3)),
        maps: Object.fromEntries(Object.entries(maps).map(([map, counts]) => [map, share(counts)])),
      },
    ]),
  ),
};
await writeFile(result, `${JSON.stringify(report, null, 2)}\n`);
console.log(JSON.stringify(report, null, 2));
for (const model of [retrieval, blip2, itmParts]) await model[Symbol.asyncDispose]();
