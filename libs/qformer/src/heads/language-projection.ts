import { Blip2QFormerConfig, readConfig, TextConfig } from '@blip2/config';
import { type ResolveOptions, resolveSource } from '@blip2/hub';
import type { LanguageProjection as LanguageProjectionPart } from '@blip2/interfaces';
import { openPartWeights, type PartWeights } from '@blip2/part';
import { lazySessions, type PartOptions } from '@blip2/runtime';

import { buildLanguageProjection, type ProjectionSize } from './language-projection-graph.ts';

/** The linear layer between Q-Former and language model. */
export interface LanguageProjection extends LanguageProjectionPart {
  dispose(): Promise<void>;
}

/** Where the layer lies in a whole model's checkpoint. */
const PATH = 'language_projection';

export function createLanguageProjection(
  size: ProjectionSize,
  weights: PartWeights,
  options: PartOptions = {},
): LanguageProjection {
  const sessions = lazySessions('language projection', options);
  const dispose = async (): Promise<void> => {
    await sessions[Symbol.asyncDispose]();
    await weights[Symbol.asyncDispose]();
  };
  return {
    ...size,
    async project(queries) {
      const session = await sessions.get('projection', () =>
        buildLanguageProjection(size, weights.store, weights.prefix),
      );
      return (await session.run({ query_output: queries })).inputs_embeds;
    },
    dispose,
    [Symbol.asyncDispose]: dispose,
  };
}

async function fromPretrained(source: string, options: PartOptions & ResolveOptions = {}): Promise<LanguageProjection> {
  const folder = await resolveSource(source, options);
  const json = await readConfig(folder);
  const qformerConfig = Blip2QFormerConfig.fromJson(json, folder);
  const textConfig = TextConfig.fromJson(json, folder);
  // The reference projects to the language model's hidden width, also where its words are narrower.
  const outFeatures = textConfig.modelType === 't5' ? textConfig.dModel : textConfig.hiddenSize;
  return createLanguageProjection(
    { inFeatures: qformerConfig.hiddenSize, outFeatures },
    await openPartWeights(folder, PATH),
    options,
  );
}

export const LanguageProjection: {
  /** Loads the layer from a folder in the Hugging Face layout of a whole BLIP-2 or InstructBLIP model. */
  readonly fromPretrained: typeof fromPretrained;
} = { fromPretrained };
