import { type SaveOptions, storedTensorSource, tensorSource } from '@blip2/checkpoint';
import { expectKnownOptions } from '@blip2/interfaces';
import { type PartWeights, pathStart, SAVE_OPTIONS, savePartWeights } from '@blip2/part';

import type { QFormerLayout } from './qformer-layout.ts';
import { type QFormerWeights, QUERY_TOKENS } from './query-tokens.ts';

/**
 * Writes the weights of a Q-Former with text input, its queries and embeddings included, under their names in the
 * checkpoint of a full model.
 * @throws Blip2Error `INVALID_ARGUMENT`, `UNKNOWN_OPTION`, `WRITE_FAILED`.
 */
export async function saveTextQFormer(
  folder: string,
  weights: QFormerWeights & { readonly embeddings: PartWeights },
  { qformer, embeddings }: QFormerLayout,
  options: SaveOptions = {},
): Promise<void> {
  expectKnownOptions('savePretrained', options, SAVE_OPTIONS);
  const { store, original = store, prefix } = weights.embeddings;
  const start = pathStart(prefix);
  const own = [...original.tensors.values()]
    .filter(({ name }) => name.startsWith(start))
    .map((tensor) => storedTensorSource(tensor, `${pathStart(embeddings)}${tensor.name.slice(start.length)}`));
  const queries = tensorSource(QUERY_TOKENS, weights.queryTokens);
  await savePartWeights(folder, weights, { ...options, path: qformer }, [queries, ...own]);
}
