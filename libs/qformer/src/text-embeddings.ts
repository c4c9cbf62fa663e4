import type { Blip2QFormerConfig } from '@blip2/config';
import { Blip2Error, type QueryFeatures, type TokenIds } from '@blip2/interfaces';
import type { PartWeights } from '@blip2/part';
import { type LazySessions, rowsTensor } from '@blip2/runtime';

import { buildTextEmbeddings } from './graph/text-embeddings-graph.ts';

/**
 * Sums of token and position embeddings of rows of equal length, `[batch, sequence, hidden]`. Default positions start
 * at 0.
 * @throws Blip2Error `SEQUENCE_TOO_LONG`; `INVALID_ARGUMENT` for ids outside the vocabulary; `SHAPE_MISMATCH` for
 * ragged rows.
 */
export async function embedText(
  sessions: LazySessions,
  config: Blip2QFormerConfig,
  { store, prefix }: PartWeights,
  ids: readonly TokenIds[],
  positions: readonly TokenIds[] | undefined,
): Promise<QueryFeatures> {
  const inputIds = rowsTensor(ids, 'inputIds');
  const { vocabSize, maxPositionEmbeddings } = config;
  const length = inputIds.dims[1];
  if (length > maxPositionEmbeddings) {
    throw new Blip2Error('SEQUENCE_TOO_LONG', 'The text is longer than the Q-Former supports', {
      where: 'inputIds',
      expected: `at most ${maxPositionEmbeddings} tokens`,
      got: String(length),
      fix: 'Truncate the text',
    });
  }
  const positionIds = rowsTensor(positions ?? ids.map((row) => row.map((_, position) => position)), 'positionIds');
  expectBelow(inputIds.data, vocabSize, 'inputIds');
  expectBelow(positionIds.data, maxPositionEmbeddings, 'positionIds');
  const session = await sessions.get('embeddings', () => buildTextEmbeddings(config, store, prefix));
  return (await session.run({ input_ids: inputIds, position_ids: positionIds })).embeddings;
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
