import type { GenerateOutput } from '@blip2/generate';
import { Blip2Error, type ImageSource, type ProcessedInputs } from '@blip2/interfaces';
import type { Blip2Processor } from '@blip2/processor';
import type { TaskOptions } from './blip2.ts';
import type { Blip2Pipeline, VisualPrefix } from './pipeline.ts';
import type { TextResult, Timings } from './text-result.ts';

/** A picture and what the model is to go on from; without text it describes the picture. */
export interface ImageText {
  readonly image: ImageSource;
  readonly text: string | undefined;
}

/** Enough for any caption or answer of one sentence; the reference's 20 cuts some short. */
const DEFAULT_NEW_TOKENS = 32;

/** Writes one text per row, all rows in one batch. Pictures that occur several times are encoded once. */
export async function writeTexts(pipeline: Blip2Pipeline, processor: Blip2Processor, rows: readonly ImageText[], { autoOrient = true, allowUrls = false, ...options }: TaskOptions): Promise<TextResult[]> {
  if (rows.length === 0) return [];
  if ((options.numReturnSequences ?? 1) > 1) {
    throw new Blip2Error('INVALID_ARGUMENT', 'A task gives one text per picture', { where: 'numReturnSequences', expected: '1', got: String(options.numReturnSequences), fix: 'Use generate of the model' });
  }
  expectFloats(processor);
  const clock = stopwatch();
  const images = [...new Set(rows.map(({ image }) => image))];
  const { pixelValues } = await processor.process({ images }, { autoOrient, allowUrls, ...(options.signal && { signal: options.signal }) });
  const prompt = await encodePrompts(pipeline, processor, rows);
  const preprocess = clock();
  options.signal?.throwIfAborted();
  const { interpolatePosEncoding = false } = options;
  const encoded = await pipeline.encodeImages(pixelValues, { interpolatePosEncoding });
  const encode = clock();
  const prefix = pickRows(encoded, rows.map(({ image }) => images.indexOf(image)));
  const output = await pipeline.generate({ pixelValues: prefix, ...prompt }, { ...defaultLength(options), ...options }, { decode: (ids) => processor.decode(ids, { skipSpecialTokens: true }) });
  return textResults(output, processor, { preprocess, encode, generate: clock() });
}

function defaultLength({ maxNewTokens, maxLength }: TaskOptions): TaskOptions {
  return maxNewTokens === undefined && maxLength === undefined ? { maxNewTokens: DEFAULT_NEW_TOKENS } : {};
}

/** Rows of ids, padded where the architecture bears it: on the left of a causal model, whose rows must end together. */
async function encodePrompts({ language }: Blip2Pipeline, processor: Blip2Processor, rows: readonly ImageText[]): Promise<Pick<ProcessedInputs, 'inputIds' | 'attentionMask'>> {
  const texts = rows.flatMap(({ text }) => text ?? []);
  if (texts.length === 0) return {};
  const { tokenizer, numQueryTokens, imageTokenId } = processor;
  const { inputIds, attentionMask } = tokenizer.batchEncode(texts, { padding: true, paddingSide: language.architecture === 'causal' ? 'left' : 'right', escapeSpecialTokens: true });
  const images = new Array<number>(numQueryTokens ?? 0).fill(imageTokenId);
  return { inputIds: inputIds.map((row) => [...images, ...row]), attentionMask: attentionMask.map((row) => [...images.map(() => 1), ...row]) };
}

/** @throws Blip2Error `INVALID_CONFIG` if the image processor leaves levels as they are. */
export function expectFloats({ imageProcessor: { settings } }: Blip2Processor): void {
  if (settings.doRescale || settings.doNormalize) return;
  throw new Blip2Error('INVALID_CONFIG', 'The image processor neither rescales nor normalises', { where: 'preprocessor_config.json', expected: 'do_rescale or do_normalize' });
}

function pickRows({ dims: [, queries, size], data }: VisualPrefix, picked: readonly number[]): VisualPrefix {
  const length = queries * size;
  const rows = new Float32Array(picked.length * length);
  picked.forEach((from, row) => rows.set(data.subarray(from * length, (from + 1) * length), row * length));
  return { type: 'float32', dims: [picked.length, queries, size], data: rows };
}

function textResults({ sequences, tokenLogProbs, sequencesScores, finishReasons }: GenerateOutput, processor: Blip2Processor, timings: Timings): TextResult[] {
  return sequences.map((ids, row) => {
    const logProbs = tokenLogProbs[row] ?? [];
    const tokenIds = ids.slice(0, logProbs.length);
    return {
      text: processor.decode(tokenIds, { skipSpecialTokens: true }).trim(),
      tokenIds,
      score: sequencesScores?.[row] ?? logProbs.reduce((sum, logProb) => sum + logProb, 0),
      finishReason: finishReasons[row] ?? 'aborted',
      timings,
    };
  });
}

/** Milliseconds since the last call. */
function stopwatch(): () => number {
  let last = performance.now();
  return () => {
    const now = performance.now();
    const elapsed = now - last;
    last = now;
    return elapsed;
  };
}
