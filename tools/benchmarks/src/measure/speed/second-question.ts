import { writeFileSync } from 'node:fs';

import { Blip2, createBlip2, type TextResult } from '@blip2/blip2';
import { mustBe, type VisionEncoder } from '@blip2/interfaces';
import { watchLanguageModel } from '@blip2/testing';

import type { SecondQuestionFile } from '../../report/result-files.ts';
import { repositoryPath } from '../../repository.ts';
import { resultText } from '../json-program.ts';

const QUESTIONS = ['what color is the triangle?', 'how many objects are there?', 'what shape is on the left?'];
const OPTIONS = { maxNewTokens: 8 };
const DEMOS = ['blip2-opt-shapes', 'blip2-t5-shapes'];

type Row = SecondQuestionFile['rows'][number] & { readonly milliseconds: number; readonly text: string };
/** Work of the vision encoder and the language model since the last reset. */
interface Work {
  imagesEncoded: number;
  positionsPrefilled: number;
}

/**
 * `second-question.js [FOLDER|demo] [IMAGE] [RESULT.json]`: the cost of a second question about an image. Counts the
 * images that the vision encoder encodes and the positions that the language model prefills, for a new image, an
 * encoded
 * image and a conversation. Times are for information. The exit code is 1 if an encoded image costs vision work or,
 * with
 * a causal model, a prefill of its positions.
 */
export async function command(args: readonly string[]): Promise<void> {
  const [folder = 'demo', image = repositoryPath('examples/left-of.png'), result] = args;
  const folders = folder === 'demo' ? DEMOS.map((name) => repositoryPath(`apps/cli/models/${name}`)) : [folder];
  const rows: Row[] = [];
  let isCheap = true;
  for (const source of folders) {
    const { rows: own, savedPositions } = await measureModel(source, image);
    rows.push(...own);
    isCheap &&= own.every(
      (row) => row.way !== 'encoded' || row.question === 1 || isCheapAnswer(row, own, savedPositions),
    );
  }
  if (!isCheap) process.exitCode = 1;
  console.log(
    isCheap
      ? 'A second question costs no vision work and, with a causal model, no prefill of the image.'
      : 'A second question costs vision work or a prefill of the image.',
  );
  const command = `node tools/benchmarks/bin/second-question.js ${args.join(' ')}`;
  if (result !== undefined) writeFileSync(result, resultText({ command, node: process.version, rows }));
}

/** `savedPositions` is the number of positions of an image, for a causal model. */
function isCheapAnswer(row: Row, rows: readonly Row[], savedPositions: number): boolean {
  const anew = rows.find(({ way, question }) => way === 'given anew' && question === row.question);
  const saved = (anew?.positionsPrefilled ?? NaN) - row.positionsPrefilled;
  return row.imagesEncoded === 0 && (row.architecture !== 'causal' || saved === savedPositions);
}

async function measureModel(source: string, image: string): Promise<{ rows: readonly Row[]; savedPositions: number }> {
  const loaded = await Blip2.fromPretrained(source);
  const work: Work = { imagesEncoded: 0, positionsPrefilled: 0 };
  const { qformer, language } = loaded.pipeline;
  const blip2 = countingModel(loaded, work);
  const [first] = QUESTIONS;
  if (first === undefined) throw mustBe('QUESTIONS', 'a list with a question', QUESTIONS);
  // Opens the sessions.
  await blip2.answer(image, first, OPTIONS);
  const rows: Row[] = [];
  const measure = async (way: string, ask: (question: string) => PromiseLike<TextResult>): Promise<void> => {
    for (const [index, question] of QUESTIONS.entries()) {
      Object.assign(work, { imagesEncoded: 0, positionsPrefilled: 0 });
      const start = performance.now();
      const { text } = await ask(question);
      const milliseconds = Math.round((performance.now() - start) * 10) / 10;
      const row = { architecture: language.architecture, way, question: index + 1, ...work, milliseconds, text };
      rows.push(row);
      console.log(JSON.stringify(row));
    }
  };
  await measure('given anew', (question) => blip2.answer(image, question, OPTIONS));
  const encoded = await blip2.encode(image);
  await measure('encoded', (question) => blip2.answer(encoded, question, OPTIONS));
  const conversation = await blip2.chat(image, OPTIONS);
  await measure('conversation', (question) => conversation.ask(question));
  await conversation.dispose();
  await blip2.dispose();
  return { rows, savedPositions: qformer.numQueryTokens };
}

/** The same model; adds what it does to `work`. */
function countingModel({ pipeline, processor }: Blip2, work: Work): Blip2 {
  const { vision, qformer, projection, language } = pipeline;
  const counting: VisionEncoder = {
    imageSize: vision.imageSize,
    hiddenSize: vision.hiddenSize,
    encode: (pixelValues, options) => {
      work.imagesEncoded += pixelValues.dims[0];
      return vision.encode(pixelValues, options);
    },
    [Symbol.asyncDispose]: () => vision[Symbol.asyncDispose](),
  };
  // A single position is a generated token, not a prefill.
  const watched = watchLanguageModel(language, ({ rows, positions }) => {
    if (positions > 1) work.positionsPrefilled += rows * positions;
  });
  return createBlip2({ vision: counting, qformer, projection, language: watched, processor });
}
