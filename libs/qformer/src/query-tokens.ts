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

/** Weights of a Q-Former with text input. */
export interface TextQFormerWeights extends QFormerWeights {
  /** Weights of the token and position embeddings. */
  readonly embeddings: PartWeights;
  /** Path of the first norm below the Q-Former's. */
  readonly norm: string;
}

/**
 * The queries of a checkpoint. A Q-Former that Hugging Face Transformers saved alone has none, since they belong to the
 * whole model: `[1, 0, hidden]`.
 * @throws Blip2Error `MISSING_WEIGHT` or `SHAPE_MISMATCH`.
 */
export async function readQueryTokens(
  { store, prefix }: PartWeights,
  { hiddenSize }: Blip2QFormerConfig,
): Promise<QueryTokens> {
  const stored = store.tensors.get(QUERY_TOKENS);
  const expected = `[1, queries, ${hiddenSize}]`;
  if (!stored && prefix === '') return { type: 'float32', dims: [1, 0, hiddenSize], data: new Float32Array(0) };
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

/**
 * Refuses a call that uses the learned queries if there are none.
 * @throws Blip2Error `MISSING_WEIGHT`.
 */
export function expectQueryTokens({ dims: [, queries] }: QueryTokens): void {
  if (queries > 0) return;
  throw new Blip2Error('MISSING_WEIGHT', `This Q-Former was loaded without ${QUERY_TOKENS}`, {
    argument: 'queryEmbeds',
    fix: 'Pass queryEmbeds to forward, or load the Q-Former from the checkpoint of the whole model',
  });
}
