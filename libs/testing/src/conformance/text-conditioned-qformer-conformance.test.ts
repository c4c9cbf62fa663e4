import type { TextConditionedQFormer } from '@blip2/interfaces';
import { describe, expect, test } from 'vitest';

import { fakeTextConditionedQFormer } from '../fakes/fake-parts.ts';
import { textConditionedQFormerConformance } from './text-conditioned-qformer-conformance.ts';

const create = (): TextConditionedQFormer =>
  fakeTextConditionedQFormer({ numQueryTokens: 3, hiddenSize: 4, encoderHiddenSize: 5 });
const checksOf = (createBroken: () => TextConditionedQFormer): ReturnType<typeof textConditionedQFormerConformance> =>
  textConditionedQFormerConformance({ create: createBroken, vocabularySize: 50 });

describe('the fake text-conditioned Q-Former conforms', () => {
  for (const check of checksOf(create)) test(check.name, check.run);
});

type Query = TextConditionedQFormer['query'];
const broken = (breakQuery: (query: Query) => Query) => (): TextConditionedQFormer => {
  const qformer = create();
  return { ...qformer, query: breakQuery(qformer.query) };
};

/** For each check of the text a Q-Former that must fail it. */
const defects: Readonly<Record<string, () => TextConditionedQFormer>> = {
  'returns different results for different texts': broken(
    (query) =>
      (patches, { inputIds, attentionMask }) =>
        query(patches, { inputIds: inputIds.map(() => [1]), attentionMask }),
  ),
  'ignores masked positions on the right of a text': broken(
    (query) =>
      (patches, { inputIds }) =>
        query(patches, { inputIds, attentionMask: inputIds.map((ids) => ids.map(() => 1)) }),
  ),
  'rejects a number of texts that differs from that of images': broken(
    (query) =>
      (patches, { inputIds, attentionMask }) =>
        query(patches, { inputIds: inputIds.slice(0, patches.dims[0]), attentionMask }),
  ),
};

test.each(Object.entries(defects))('a broken Q-Former is detected by "%s"', async (name, createBroken) => {
  const check = checksOf(createBroken).find((each) => each.name === name);
  await expect(check?.run()).rejects.toThrow(expect.objectContaining({ code: 'NOT_CONFORMING' }) as Error);
});
