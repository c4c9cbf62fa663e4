import {
  Blip2,
  Blip2Retrieval,
  contrastScore,
  type ImageScore,
  likelihoodScore,
  type LoadOptions,
  matchScore,
  occlusionMap,
  openCheckpointParts,
  overlayHeatmap,
  positiveShare,
  queryAttention,
  questionPrompt,
} from '@blip2/blip2';
import { Blip2Error, defined } from '@blip2/interfaces';
import { BlipImageProcessor, encodePng } from '@blip2/processor';

import { withDisposableStack } from '../module/disposable-stack.ts';
import { DEFAULT_ISOLATE } from '../options/common-options.ts';
import { dtypeOption } from '../options/dtype.ts';
import type { AttentionSubject, HeatmapModel, LoadHeatmapModel, OcclusionSubject, ScoreKind } from './heatmap-port.ts';
import type { ModelSource } from './model-source.ts';
import { pixelValuesOf } from './pixel-values.ts';

/**
 * Loads a checkpoint for heatmaps. By default, inference runs on a worker thread. Attention does not load the language
 * model.
 */
export const loadHeatmapModel: LoadHeatmapModel = async (
  source,
  subject,
  { dtype, module: _, isolate = DEFAULT_ISOLATE, ...settings },
) => {
  const options: LoadOptions = { ...settings, ...dtypeOption(dtype), isolate };
  return subject.method === 'attention'
    ? attentionModel(source, subject, options)
    : occlusionModel(await openScoringModel(source, subject, options), subject);
};

async function attentionModel(
  source: ModelSource,
  { layer }: AttentionSubject,
  options: LoadOptions,
): Promise<HeatmapModel> {
  return withDisposableStack(async ({ use, disposeAsync }) => {
    const parts = use(await openCheckpointParts(source, options));
    const processor = await BlipImageProcessor.fromPretrained(parts.folders.images);
    const [vision, qformer] = [await parts.vision(), await parts.qformer()];
    return {
      async draw(image, { signal }) {
        const pixelValues = await pixelValuesOf(processor, [image], signal);
        const map = await queryAttention({ vision, qformer }, pixelValues, defined({ signal, layer }));
        return { map, overlay: await encodePng(overlayHeatmap(image, map)), runs: 1 };
      },
      [Symbol.asyncDispose]: disposeAsync,
    };
  });
}

/** A checkpoint that scores how well a text fits an image. */
interface ScoringModel extends AsyncDisposable {
  readonly processor: BlipImageProcessor;
  readonly kind: ScoreKind;
  readonly score: ImageScore;
}

function occlusionModel(
  { processor, kind, score, ...model }: ScoringModel,
  { mode, cells, batchSize }: OcclusionSubject,
): HeatmapModel {
  return {
    async draw(image, options) {
      const pixelValues = await pixelValuesOf(processor, [image], options.signal);
      const windowCells = cells === undefined ? undefined : Math.max(1, Math.round(cells * WINDOW_SHARE));
      const occlusion = { ...options, ...defined({ mode, cells, windowCells, batchSize }) };
      const { map, score: value, runs } = await occlusionMap(pixelValues, score, occlusion);
      return { map, overlay: await encodePng(overlayHeatmap(image, positiveShare(map))), score: { kind, value }, runs };
    },
    [Symbol.asyncDispose]: () => model[Symbol.asyncDispose](),
  };
}

/** Side of a window as a share of the image's side. */
const WINDOW_SHARE = 1 / 4;

/** Loads a scoring model: matching with a retrieval checkpoint, whose Q-Former reads text, else generation. */
async function openScoringModel(
  source: ModelSource,
  subject: OcclusionSubject,
  options: LoadOptions,
): Promise<ScoringModel> {
  const isRetrieval = await readsText(source, options);
  const { question, by, text } = subject;
  if (isRetrieval && question !== undefined)
    throw new Blip2Error('INVALID_ARGUMENT', '--question is only supported with generation checkpoints', {
      fix: 'Pass a generation checkpoint, or omit the question',
    });
  if (!isRetrieval && by !== undefined)
    throw new Blip2Error('INVALID_ARGUMENT', '--by is only supported with retrieval checkpoints', {
      fix: 'Pass a retrieval checkpoint, or omit it',
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
    score: likelihoodScore(blip2, text, prompt),
    [Symbol.asyncDispose]: blip2.dispose,
  };
}

async function readsText(source: ModelSource, options: LoadOptions): Promise<boolean> {
  const parts = await openCheckpointParts(source, { ...options, isolate: 'inline' });
  await parts[Symbol.asyncDispose]();
  return parts.config.qformerConfig.useQformerTextInput;
}
