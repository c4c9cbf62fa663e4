/**
 * InstructBLIP's Q-Former: BLIP-2's with text, whose embeddings and first norm are its own; numbers are compared by the
 * parity cases.
 */
import { join } from 'node:path';

import { openCheckpoint } from '@blip2/checkpoint';
import { Blip2QFormerConfig, readConfig } from '@blip2/config';
import { pseudoRandom, textConditionedQFormerConformance } from '@blip2/testing';
import { describe, expect, test } from 'vitest';

import { qformerTensors } from './graph/qformer-graph.ts';
import { textEmbeddingsTensors } from './graph/text-embeddings-graph.ts';
import { LanguageProjection } from './heads/language-projection.ts';
import { blip2QFormerLayout, instructBlipQFormerLayout } from './qformer-layout.ts';
import { TextConditionedQFormer } from './text-conditioned-qformer.ts';

const cases = join(import.meta.dirname, '../../../tools/parity/cases');

describe.each(['instructblip-llama', 'instructblip-t5'])('%s', (name) => {
  const folder = join(cases, name, 'checkpoint');

  for (const check of textConditionedQFormerConformance({
    create: () => TextConditionedQFormer.fromPretrained(folder, { threads: 1 }),
    vocabularySize: 368,
  }))
    test(check.name, check.run);

  test('finds every tensor at the paths of the family', async () => {
    const { tensors } = await openCheckpoint(folder);
    const config = Blip2QFormerConfig.fromJson(await readConfig(folder));
    const { qformer, embeddings, norm } = instructBlipQFormerLayout;
    const expected = [
      ...textEmbeddingsTensors(config, embeddings),
      ...qformerTensors(config, qformer, { norm, text: true }),
    ];
    const stored = [...tensors.values()].filter((tensor) => tensor.name.startsWith('qformer.'));
    expect(expected.map((tensor) => [tensor.name, tensor.shape]).sort()).toEqual(
      stored.map((tensor) => [tensor.name, tensor.shape]).sort(),
    );
  });

  test('requires the layout of its family', async () => {
    await using qformer = await TextConditionedQFormer.fromPretrained(folder, {
      threads: 1,
      layout: blip2QFormerLayout,
    });
    const patches = {
      type: 'float32',
      dims: [1, 3, 40],
      data: Float32Array.from({ length: 120 }, (_, index) => pseudoRandom(index)),
    } as const;
    await expect(
      qformer.query({ ...patches, dims: [1, 3, 40] }, { inputIds: [[2, 3]], attentionMask: [[1, 1]] }),
    ).rejects.toMatchObject({ code: 'MISSING_WEIGHT' });
  });

  test('projects to the width of its language model', async () => {
    await using projection = await LanguageProjection.fromPretrained(folder, { threads: 1 });
    expect([projection.inFeatures, projection.outFeatures]).toEqual([48, name === 'instructblip-t5' ? 44 : 48]);
  });
});
