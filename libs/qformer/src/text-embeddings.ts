import type { Blip2QFormerConfig } from '@blip2/config';
import { Blip2Error, type QueryFeatures, type Tensor, type TokenIds } from '@blip2/interfaces';
import type { PartWeights } from '@blip2/part';
import { type LazySessions, rowsTensor } from '@blip2/runtime';

import { buildTextEmbeddings } from './graph/text-embeddings-graph.ts';

/** Ids and positions of a text, as inputs of the embedding. */
export interface TextFeeds extends Readonly<Record<string, Tensor>> {
  readonly input_ids: Tensor<'int64', [batch: number, sequence: number]>;
  readonly position_ids: Tensor<'int64', [batch: number, sequence: number]>;
}

/**
 * The inputs of the embedding for rows of equal length. Default positions start at 0.
 * @throws Blip2Error `SEQUENCE_TOO_LONG`; `INVALID_ARGUMENT` for ids outside the vocabulary; `SHAPE_MISMATCH` for
 * ragged rows.
 */
export function textFeeds(
  { vocabSize, maxPositionEmbeddings }: Blip2QFormerConfig,
  ids: readonly TokenIds[],
  positions: readonly TokenIds[] = ids.map((row) => row.map((_, position) => position)),
): TextFeeds {
  const inputIds = rowsTensor(ids, 'inputIds');
  const length = inputIds.dims[1];
  if (length > maxPositionEmbeddings) {
    throw new Blip2Error('SEQUENCE_TOO_LONG', 'The text is longer than the Q-Former supports', {
      where: 'inputIds',
      expected: `at most ${maxPositionEmbeddings} tokens`,
      got: String(length),
      fix: 'Truncate the text',
    });
  }
  const positionIds = rowsTensor(positions, 'positionIds');
  expectBelow(inputIds.data, vocabSize, 'inputIds');
  expectBelow(positionIds.data, maxPositionEmbeddings, 'positionIds');
  return { input_ids: inputIds, position_ids: positionIds };
}

/**
 * Sums of token and position embeddings of rows of equal length, `[batch, sequence, hidden]`. Default positions start
 * at 0.
 * @throws Blip2Error the codes of `textFeeds`.
 */
export async function embedText(
  sessions: LazySessions,
  config: Blip2QFormerConfig,
  { store, prefix }: PartWeights,
  ids: readonly TokenIds[],
  positions: readonly TokenIds[] | undefined,
): Promise<QueryFeatures> {
  const feeds = textFeeds(config, ids, positions);
  const session = await sessions.get('embeddings', () => buildTextEmbeddings(config, store, prefix));
  return (await session.run(feeds)).embeddings;
}

function expectBelow(ids: BigInt64Array, limit: number, where: string): void {
  const wrong = ids.find((id) => id < 0n || id >= BigInt(limit));
  if (wrong !== undefined)
    throw new Blip2Error('INVALID_ARGUMENT', `${where} has a value outside the embedding`, {
      where,
      argument: where,
      expected: `0 to ${limit - 1}`,
      got: String(wrong),
    });
}
