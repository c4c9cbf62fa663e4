import { describe, test } from 'vitest';

import { expectClose, ids, random, runGraph } from '../fixtures/run-graph.ts';
import type { Value } from '../value.ts';
import { embedding } from './embedding.ts';

describe('embedding', () => {
  const table = random(5, 3);
  test.each(['F32', 'F16'] as const)('picks rows of an embedding stored as %s', async (dtype) => {
    const y = await runGraph({
      inputs: { ids: ids([2, 2], [4, 0, 0, 2]) },
      weights: { 't.weight': table },
      dtype,
      output: [2, 2, 3],
      body: (g, inputs, root) =>
        embedding(g, inputs['ids'] as Value<'int64'>, root.at('t'), { numEmbeddings: 5, embeddingSize: 3 }),
    });
    expectClose(
      y,
      [4, 0, 0, 2].flatMap((row) => [...table.data.subarray(row * 3, row * 3 + 3)]),
    );
  });
});
