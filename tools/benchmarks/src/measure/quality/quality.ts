import { mkdtemp, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { Blip2, Blip2Retrieval } from '@blip2/blip2';

import { relativeError } from '../../report/statistics.ts';
import { resultPath } from '../../repository.ts';
import { resultText } from '../json-program.ts';
import {
  demoFolder,
  type DemoKind,
  type Expected,
  imagePath,
  readExpected,
  readScenes,
  type Scene,
} from './evaluation.ts';
import { countCorrectTexts, type TextCounts } from './score-texts.ts';

const PRECISIONS = ['fp32', 'int8', 'q8', 'q4', 'fast', 'small'] as const;
type Precision = (typeof PRECISIONS)[number];
const BATCH = 20;
/** Number of scenes along whose captions logits are compared. */
const LOGIT_SCENES = 20;

/** Scenes with their expected outputs. */
interface Evaluation {
  readonly scenes: readonly Scene[];
  readonly expected: readonly Expected[];
}

interface GenerationRow extends TextCounts {
  readonly checkpoint: DemoKind;
  readonly dtype: Precision;
  readonly scoreError: number;
}

interface MatchingRow {
  readonly checkpoint: 'itm';
  readonly dtype: Precision;
  pairs: number;
  pairsRight: number;
  largestProbabilityError: number;
}

/**
 * `quality.js [RESULT.json] [SCENES]`: what each precision costs in quality. Captions, answers and matches of the demo
 * checkpoints on the evaluation scenes (all 200 by default), compared with the truth and with the tokens that were
 * recorded in float32; the error of the logits along the recorded captions, one step per token; and the size of the
 * converted parts. No times: the demo checkpoints are too small for them.
 */
export async function command(args: readonly string[]): Promise<void> {
  const [result = resultPath('quality.json'), limit = '200'] = args;
  const evaluation = { scenes: readScenes(Number(limit)), expected: readExpected() };
  const rows: unknown[] = [];
  const add = async (row: object, convertedDir: string): Promise<void> => {
    rows.push({ ...row, convertedBytes: await bytesByPart(convertedDir) });
    console.error(JSON.stringify(rows.at(-1)));
  };
  for (const kind of ['opt', 't5'] as const) {
    let exact: readonly number[] | undefined;
    await eachPrecision(async (dtype, convertedDir) => {
      const [row, logits] = await generation(kind, dtype, convertedDir, evaluation, exact);
      exact ??= logits;
      await add(row, convertedDir);
    });
  }
  await eachPrecision(async (dtype, convertedDir) =>
    add(await matching(dtype, convertedDir, evaluation), convertedDir),
  );
  const command = 'node tools/benchmarks/bin/quality.js';
  const { length } = evaluation.scenes;
  await writeFile(result, resultText({ command, scenes: length, node: process.version, rows }));
}

/** Calls `measure` for each precision with an empty folder for converted weights. */
async function eachPrecision(measure: (dtype: Precision, convertedDir: string) => Promise<void>): Promise<void> {
  for (const dtype of PRECISIONS) {
    const convertedDir = await mkdtemp(join(tmpdir(), 'blip2-quality-'));
    await measure(dtype, convertedDir);
    await rm(convertedDir, { recursive: true });
  }
}

/** `exact` are the float32 logits; the logits at this precision are returned with the row. */
async function generation(
  kind: DemoKind,
  dtype: Precision,
  convertedDir: string,
  { scenes, expected }: Evaluation,
  exact: readonly number[] | undefined,
): Promise<readonly [GenerationRow, readonly number[]]> {
  const blip2 = await Blip2.fromPretrained(demoFolder(kind), { dtype, convertedDir });
  const counts = await countCorrectTexts(blip2, kind, scenes, expected, { batch: BATCH });
  const logits = await captionLogits(blip2, kind, { scenes: scenes.slice(0, LOGIT_SCENES), expected });
  await blip2.dispose();
  const scoreError = exact === undefined ? 0 : relativeError(logits, exact);
  return [{ checkpoint: kind, dtype, ...counts, scoreError }, logits];
}

/** The logits before each token of the recorded captions, one after the other. */
async function captionLogits(
  blip2: Blip2,
  kind: DemoKind,
  { scenes, expected }: Evaluation,
): Promise<readonly number[]> {
  const { processor, pipeline } = blip2;
  const logits: number[] = [];
  for (const [index, scene] of scenes.entries()) {
    const { pixelValues } = await processor.process({ images: [imagePath(scene)] });
    const prefix = await pipeline.encodeImages(pixelValues);
    await using decoding = await pipeline.language.start(await pipeline.embedPrompt({ pixelValues: prefix }));
    logits.push(...decoding.logits.data);
    for (const id of expected[index]?.[kind].caption.ids.slice(0, -1) ?? [])
      logits.push(...(await decoding.extend({ ids: [[id]] })).data);
  }
  return logits;
}

/** A true caption should match its image, and one with a wrong detail should not. */
async function matching(
  dtype: Precision,
  convertedDir: string,
  { scenes, expected }: Evaluation,
): Promise<MatchingRow> {
  const retrieval = await Blip2Retrieval.fromPretrained(demoFolder('itm'), { dtype, convertedDir });
  const row: MatchingRow = { checkpoint: 'itm', dtype, pairs: 0, pairsRight: 0, largestProbabilityError: 0 };
  for (const [index, scene] of scenes.entries()) {
    const [scores = []] = await retrieval.match([imagePath(scene)], [scene.caption, scene.false_caption]);
    for (const [at, key] of (['true', 'false'] as const).entries()) {
      const [no, yes] = expected[index]?.itm[key].logits ?? [NaN, NaN];
      const probability = scores[at]?.itm ?? NaN;
      row.pairs++;
      if (probability > 0.5 === (key === 'true')) row.pairsRight++;
      const error = Math.abs(probability - 1 / (1 + Math.exp(no - yes)));
      row.largestProbabilityError = Math.max(row.largestProbabilityError, error);
    }
  }
  await retrieval.dispose();
  return row;
}

async function bytesByPart(folder: string): Promise<Readonly<Record<string, number>>> {
  const weights = join(folder, 'weights');
  const files = await readdir(weights).catch(() => []);
  const total: Record<string, number> = {};
  for (const file of files) {
    const part = file.replace(/-[0-9a-f]{32}\.safetensors$/, '');
    total[part] = (total[part] ?? 0) + (await stat(join(weights, file))).size;
  }
  return total;
}
