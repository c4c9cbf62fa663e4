import { type Blip2ForImageTextRetrieval, type Blip2Retrieval, meanVector } from '@blip2/blip2';
import { resizingOf } from '@blip2/processor';

import { matchHeatmap } from '../heatmap/model-heatmaps.ts';
import { partRunner } from './part-runner.ts';
import type { MatchModel } from './served-model.ts';

/** A retrieval checkpoint, served by its tasks. */
export function matchModel(retrieval: Blip2Retrieval & { readonly model: Blip2ForImageTextRetrieval }): MatchModel {
  const { visionModel } = retrieval.model;
  const { tokenizer } = retrieval.processor;
  return {
    kind: 'match',
    resizing: resizingOf(retrieval.processor.imageProcessor),
    parts: partRunner(visionModel.imageSize, [{ name: 'vision', run: (values) => visionModel.encode(values) }]),
    match: async (image, texts, options) => (await retrieval.match([image], texts, options)).flat(),
    embedImages: async (images, options) =>
      images.length === 0 ? [] : (await retrieval.embed({ images }, options)).map(meanVector),
    embedTexts: async (text, options) =>
      text.length === 0 ? [] : (await retrieval.embed({ text }, options)).map(({ data }) => data),
    heatmap: matchHeatmap(retrieval),
    countTokens: (text) => tokenizer.encode(text, { escapeSpecialTokens: true }).length,
    [Symbol.asyncDispose]: () => retrieval.dispose(),
  };
}
