import { readTensor } from '@blip2/checkpoint';
import type { Blip2QFormerConfig } from '@blip2/config';
import { Blip2Error, type Tensor } from '@blip2/interfaces';
import type { PartWeights } from '@blip2/part';

/** The learned queries of a checkpoint, `[1, queries, hidden]`. */
export type QueryTokens = Tensor<'float32', readonly [one: 1, queries: number, hidden: number]>;

/** Name of the queries, at the root of any checkpoint. */
export const QUERY_TOKENS = 'query_tokens';

/** Weights of a Q-Former, together with its queries. */
export interface QFormerWeights extends PartWeights {
  readonly queryTokens: QueryTokens;
}

/** @throws Blip2Error `MISSING_WEIGHT` or `SHAPE_MISMATCH`. */
export async function readQueryTokens(
  { store }: PartWeights,
  { hiddenSize }: Blip2QFormerConfig,
): Promise<QueryTokens> {
  const stored = store.tensors.get(QUERY_TOKENS);
  const expected = `[1, queries, ${hiddenSize}]`;
  if (!stored)
    throw new Blip2Error('MISSING_WEIGHT', `The checkpoint has no tensor ${QUERY_TOKENS}`, {
      where: store.folder,
      expected,
    });
  const { dims, data } = await readTensor(stored);
  const [one, queries, hidden] = dims;
  if (dims.length !== 3 || one !== 1 || queries === undefined || hidden !== hiddenSize || data.length === 0) {
    throw new Blip2Error('SHAPE_MISMATCH', `The tensor ${QUERY_TOKENS} has the wrong shape`, {
      where: store.folder,
      expected,
      got: `[${dims.join(', ')}]`,
    });
  }
  return { type: 'float32', dims: [1, queries, hidden], data };
}
