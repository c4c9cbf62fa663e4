import type { Blip2ForImageTextRetrieval, Blip2Retrieval } from '@blip2/blip2';
import type { Tensor } from '@blip2/interfaces';
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
      images.length === 0 ? [] : (await retrieval.embed({ images }, options)).map(unitMean),
    embedTexts: async (text, options) =>
      text.length === 0 ? [] : (await retrieval.embed({ text }, options)).map(({ data }) => data),
    heatmap: matchHeatmap(retrieval),
    countTokens: (text) => tokenizer.encode(text, { escapeSpecialTokens: true }).length,
    [Symbol.asyncDispose]: () => retrieval.dispose(),
  };
}

/** The mean of vectors `[queries, size]`, scaled to length 1. */
function unitMean({ dims, data }: Tensor<'float32'>): Float32Array {
  const [queries = 0, size = 0] = dims;
  const mean = Float32Array.from({ length: size }, (_, column) => {
    let sum = 0;
    for (let query = 0; query < queries; query++) sum += data[query * size + column] ?? NaN;
    return sum / queries;
  });
  const length = Math.hypot(...mean);
  return length === 0 ? mean : mean.map((value) => value / length);
}
