import type { MatchScore } from '@blip2/blip2';
import { resizingOf } from '@blip2/processor';

import { DEFAULT_ISOLATE } from '../options/common-options.ts';
import { dtypeOption } from '../options/dtype.ts';
import type { ImageTexts, Load, RetrievalModel } from './model-port.ts';
import { openRetrieval } from './open-retrieval.ts';

/** Loads a retrieval checkpoint. By default, inference runs on a worker thread. */
export const loadRetrievalModel: Load<RetrievalModel> = async (
  source,
  { dtype, module, isolate = DEFAULT_ISOLATE, ...settings },
) => {
  const retrieval = await openRetrieval(source, module, { ...settings, ...dtypeOption(dtype), isolate });
  return {
    async match(items, options) {
      if (haveSameTexts(items))
        return retrieval.match(
          items.map(({ image }) => image),
          items[0]?.texts ?? [],
          options,
        );
      // In a resumed run, each image may have different texts left.
      const results: (readonly MatchScore[])[] = [];
      for (const { image, texts } of items) results.push((await retrieval.match([image], texts, options))[0] ?? []);
      return results;
    },
    resizing: resizingOf(retrieval.processor.imageProcessor),
    [Symbol.asyncDispose]: () => retrieval.dispose(),
  };
};

function haveSameTexts(items: readonly ImageTexts[]): boolean {
  const texts = JSON.stringify(items[0]?.texts);
  return items.every((item) => JSON.stringify(item.texts) === texts);
}
