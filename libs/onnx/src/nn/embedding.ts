import type { Graph } from '../graph.ts';
import { cast } from '../ops/cast.ts';
import { gather } from '../ops/gather.ts';
import type { Value } from '../value.ts';
import type { Weights } from '../weights.ts';

export interface EmbeddingOptions {
  readonly numEmbeddings: number;
  readonly embeddingSize: number;
}

/**
 * Looks up rows of an embedding by id, `[batch, sequence] → [batch, sequence, embeddingSize]`. Only these rows are
 * converted to float32.
 */
export function embedding(
  g: Graph,
  ids: Value<'int64'>,
  weights: Weights,
  { numEmbeddings, embeddingSize }: EmbeddingOptions,
): Value<'float32'> {
  return g.scope(weights.path, () =>
    cast(g, gather(g, weights.getStored('weight', [numEmbeddings, embeddingSize]), ids, 0), 'float32'),
  );
}
