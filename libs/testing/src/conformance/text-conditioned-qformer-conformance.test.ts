import type { TextConditionedQFormer } from '@blip2/interfaces';
import { describe, expect, test } from 'vitest';

import { fakeTextConditionedQFormer } from '../fakes/fake-parts.ts';
import { textConditionedQFormerConformance } from './text-conditioned-qformer-conformance.ts';

const create = (): TextConditionedQFormer =>
  fakeTextConditionedQFormer({ numQueryTokens: 3, hiddenSize: 4, encoderHiddenSize: 5 });
const checksOf = (make: () => TextConditionedQFormer): ReturnType<typeof textConditionedQFormerConformance> =>
  textConditionedQFormerConformance({ create: make, vocabularySize: 50 });

describe('the fake Q-Former with text conforms', () => {
  for (const check of checksOf(create)) test(check.name, check.run);
});

type Query = TextConditionedQFormer['query'];
const broken = (breakQuery: (query: Query) => Query) => (): TextConditionedQFormer => {
  const qformer = create();
  return { ...qformer, query: breakQuery(qformer.query) };
};

/** Each check of the text with a Q-Former that it must reject. */
const sabotage: Readonly<Record<string, () => TextConditionedQFormer>> = {
  'tells texts about one image apart': broken(
    (query) =>
      (patches, { inputIds, attentionMask }) =>
        query(patches, { inputIds: inputIds.map(() => [1]), attentionMask }),
  ),
  'does not read what the mask hides on the right': broken(
    (query) =>
      (patches, { inputIds }) =>
        query(patches, { inputIds, attentionMask: inputIds.map((ids) => ids.map(() => 1)) }),
  ),
  'refuses another number of texts than images': broken(
    (query) =>
      (patches, { inputIds, attentionMask }) =>
        query(patches, { inputIds: inputIds.slice(0, patches.dims[0]), attentionMask }),
  ),
};

test.each(Object.entries(sabotage))('%s: a Q-Former that does not is noticed', async (name, make) => {
  const check = checksOf(make).find((each) => each.name === name);
  await expect(check?.run()).rejects.toThrow(expect.objectContaining({ code: 'NOT_CONFORMING' }) as Error);
});
