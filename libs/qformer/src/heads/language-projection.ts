import type { SaveOptions } from '@blip2/checkpoint';
import { Blip2QFormerConfig, TextConfig } from '@blip2/config';
import {
  defined,
  expectKnownOptions,
  expectTensor,
  type LanguageProjection as LanguageProjectionPart,
  mustBe,
} from '@blip2/interfaces';
import {
  createRandomPartWeights,
  definePartOfModel,
  type DisposablePart,
  PART_OPTIONS,
  type PartOfModel,
  type PartWeights,
  RANDOM_OPTIONS,
  type RandomWeightsOptions,
  SAVE_OPTIONS,
  savePartWeights,
  transformerInitializer,
} from '@blip2/part';
import type { PartOptions } from '@blip2/runtime';

import {
  buildLanguageProjection,
  languageProjectionTensors,
  type ProjectionSize,
} from './language-projection-graph.ts';

/** The linear layer between Q-Former and language model. */
export interface LanguageProjection extends LanguageProjectionPart, DisposablePart {
  /** Writes the weights, without a configuration, under their names in the checkpoint of a full model. */
  savePretrained(folder: string, options?: SaveOptions): Promise<void>;
}

const PATH = 'language_projection';

const part: PartOfModel<ProjectionSize, LanguageProjection> = definePartOfModel({
  label: 'language projection',
  path: PATH,
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
  create: ({ config, sessions, weights }) => ({
    ...config,
    async savePretrained(folder: string, options: SaveOptions = {}): Promise<void> {
      expectKnownOptions('savePretrained', options, SAVE_OPTIONS);
      await savePartWeights(folder, weights, { ...options, path: PATH });
    },
    async project(queries) {
      expectTensor('queries', queries, ['batch', 'queries', 'hidden']);
      const session = await sessions.get('projection', () =>
        buildLanguageProjection(config, weights.store, weights.prefix),
      );
      return (await session.run({ query_output: queries })).inputs_embeds;
    },
  }),
});

/** Loads the layer from the checkpoint of a full BLIP-2 or InstructBLIP model, or creates an untrained one. */
export const LanguageProjection: PartOfModel<ProjectionSize, LanguageProjection> & {
  /**
   * Creates an untrained layer with random weights, in a temporary file that is removed when it is disposed.
   * @throws Blip2Error `INVALID_ARGUMENT` for widths that are no positive integers; `WRITE_FAILED`.
   */
  fromConfig(size: ProjectionSize, options?: RandomWeightsOptions & PartOptions): Promise<LanguageProjection>;
} = {
  ...part,
  async fromConfig(size, options = {}) {
    expectKnownOptions('fromConfig of the language projection', options, [...RANDOM_OPTIONS, ...PART_OPTIONS]);
    const { inFeatures, outFeatures } = size;
    for (const [name, width] of Object.entries({ inFeatures, outFeatures }))
      if (!Number.isSafeInteger(width) || width < 1) throw mustBe(name, 'a positive integer', width);
    const {
      initializer = transformerInitializer(INITIALIZER_RANGE),
      seed,
      folder,
      signal,
      onProgress,
      ...own
    } = options;
    const random = { ...defined({ seed, folder, signal, onProgress }) };
    const weights = await createRandomPartWeights(languageProjectionTensors(size, ''), initializer, random);
    return part.create({ inFeatures, outFeatures }, weights, own);
  },
};

/** `initializer_range` of a BLIP-2 model by default. */
const INITIALIZER_RANGE = 0.02;

/** Creates the layer from its size and weights. Nothing is loaded before its first use. */
export function createLanguageProjection(
  size: ProjectionSize,
  weights: PartWeights,
  options?: PartOptions,
): LanguageProjection {
  return LanguageProjection.create(size, weights, options);
}
