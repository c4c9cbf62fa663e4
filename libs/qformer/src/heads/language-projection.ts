import { Blip2QFormerConfig, TextConfig } from '@blip2/config';
import { expectTensor, type LanguageProjection as LanguageProjectionPart } from '@blip2/interfaces';
import { definePartOfModel, type DisposablePart, type PartOfModel, type PartWeights } from '@blip2/part';
import type { PartOptions } from '@blip2/runtime';

import { buildLanguageProjection, type ProjectionSize } from './language-projection-graph.ts';

/** The linear layer between Q-Former and language model. */
export interface LanguageProjection extends LanguageProjectionPart, DisposablePart {}

/** Loads the layer from the checkpoint of a full BLIP-2 or InstructBLIP model. */
export const LanguageProjection: PartOfModel<ProjectionSize, LanguageProjection> = definePartOfModel({
  label: 'language projection',
  path: 'language_projection',
  config: {
    // HF projects to the hidden size of the language model, even if its token embeddings are narrower.
    fromJson: (json, where): ProjectionSize => ({
      inFeatures: Blip2QFormerConfig.fromJson(json, where).hiddenSize,
      outFeatures: TextConfig.fromJson(json, where).hiddenSize,
    }),
  },
  exportGraphs: ({ config, weights: { store, prefix } }) => [
    { name: 'language_projection', model: buildLanguageProjection(config, store, prefix) },
  ],
  create: ({ config, sessions, weights: { store, prefix } }) => ({
    ...config,
    async project(queries) {
      expectTensor('queries', queries, ['batch', 'queries', 'hidden']);
      const session = await sessions.get('projection', () => buildLanguageProjection(config, store, prefix));
      return (await session.run({ query_output: queries })).inputs_embeds;
    },
  }),
});

/** Creates the layer from its size and weights. Nothing is loaded before its first use. */
export function createLanguageProjection(
  size: ProjectionSize,
  weights: PartWeights,
  options?: PartOptions,
): LanguageProjection {
  return LanguageProjection.create(size, weights, options);
}
