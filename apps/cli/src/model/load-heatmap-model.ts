import {
  Blip2,
  Blip2Retrieval,
  contrastScore,
  type ImageScore,
  type LoadOptions,
  matchScore,
  occlusionMap,
  openCheckpointParts,
  overlayHeatmap,
  positiveShare,
  queryAttention,
  questionPrompt,
  writingScore,
} from '@blip2/blip2';
import { Blip2Error, type PixelValues, type RgbImage } from '@blip2/interfaces';
import { BlipImageProcessor, encodePng, expectFloatPixels } from '@blip2/processor';

import { dtypeOption } from '../options/dtype.ts';
import type { AttentionSubject, HeatmapModel, LoadHeatmapModel, OcclusionSubject, ScoreKind } from './heatmap-port.ts';

/** The library behind the port, in a worker thread. For attention the language model of a checkpoint is not loaded. */
export const loadHeatmapModel: LoadHeatmapModel = async (source, subject, { dtype, ...settings }) => {
  const options: LoadOptions = { ...settings, ...dtypeOption(dtype), isolate: 'worker' };
  return subject.method === 'attention'
    ? attentionModel(source, subject, options)
    : occlusionModel(await openScored(source, subject, options), subject);
};

async function attentionModel(
  source: string,
  { layer }: AttentionSubject,
  options: LoadOptions,
): Promise<HeatmapModel> {
  const parts = await openCheckpointParts(source, options);
  const dispose = async (): Promise<void> => parts[Symbol.asyncDispose]();
  try {
    const processor = await BlipImageProcessor.fromPretrained(parts.folder);
    const [vision, qformer] = [await parts.vision(), await parts.qformer()];
    return {
      async draw(image, { signal }) {
        const map = await queryAttention({ vision, qformer }, await pixelsOf(processor, image, signal), {
          signal,
          ...(layer !== undefined && { layer }),
        });
        return { map, overlay: await encodePng(overlayHeatmap(image, map)), runs: 1 };
      },
      [Symbol.asyncDispose]: dispose,
    };
  } catch (error) {
    await dispose();
    throw error;
  }
}

/** A checkpoint that gives images a score. */
interface Scored extends AsyncDisposable {
  readonly processor: BlipImageProcessor;
  readonly kind: ScoreKind;
  readonly score: ImageScore;
}

function occlusionModel(
  { processor, kind, score, ...model }: Scored,
  { mode, cells, batchSize }: OcclusionSubject,
): HeatmapModel {
  return {
    async draw(image, options) {
      const {
        map,
        score: value,
        runs,
      } = await occlusionMap(await pixelsOf(processor, image, options.signal), score, {
        ...options,
        ...(mode && { mode }),
        ...(cells !== undefined && { cells, windowCells: Math.max(1, Math.round(cells * WINDOW_SHARE)) }),
        ...(batchSize !== undefined && { batchSize }),
      });
      return { map, overlay: await encodePng(overlayHeatmap(image, positiveShare(map))), score: { kind, value }, runs };
    },
    [Symbol.asyncDispose]: () => model[Symbol.asyncDispose](),
  };
}

/** Side of a window, as a share of the image's. */
const WINDOW_SHARE = 1 / 4;

/** A checkpoint whose Q-Former reads text judges images with texts; any other writes. */
async function openScored(source: string, subject: OcclusionSubject, options: LoadOptions): Promise<Scored> {
  const isRetrieval = await readsText(source, options);
  const { question, by, text } = subject;
  if (isRetrieval && question !== undefined)
    throw new Blip2Error('INVALID_ARGUMENT', 'A retrieval checkpoint answers no questions', {
      where: '--question',
      fix: 'Name a generation checkpoint, or leave the question out',
    });
  if (!isRetrieval && by !== undefined)
    throw new Blip2Error('INVALID_ARGUMENT', 'A generation checkpoint has neither ITM nor ITC', {
      where: '--by',
      fix: 'Name a retrieval checkpoint, or leave it out',
    });
  if (isRetrieval) {
    const { model, processor, dispose } = await Blip2Retrieval.fromPretrained(source, options);
    const kind = by ?? 'itm';
    return {
      kind,
      processor: processor.imageProcessor,
      score: (kind === 'itm' ? matchScore : contrastScore)({ ...model, processor }, text),
      [Symbol.asyncDispose]: dispose,
    };
  }
  const blip2 = await Blip2.fromPretrained(source, options);
  const prompt = question === undefined ? {} : { prompt: questionPrompt(question) };
  return {
    kind: 'writing',
    processor: blip2.processor.imageProcessor,
    score: writingScore(blip2, text, prompt),
    [Symbol.asyncDispose]: blip2.dispose,
  };
}

async function readsText(source: string, options: LoadOptions): Promise<boolean> {
  const parts = await openCheckpointParts(source, { ...options, isolate: 'inline' });
  await parts[Symbol.asyncDispose]();
  return parts.config.qformerConfig.useQformerTextInput;
}

async function pixelsOf(processor: BlipImageProcessor, image: RgbImage, signal: AbortSignal): Promise<PixelValues> {
  const { pixelValues } = await processor.process([image], { signal });
  return expectFloatPixels(pixelValues);
}
