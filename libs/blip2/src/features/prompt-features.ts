/** What the features of BLIP-2 and InstructBLIP have in common. */
import {
  defined,
  expectFinite,
  type PatchFeatures,
  type PixelValues,
  type QueryFeatures,
  type Tensor,
} from '@blip2/interfaces';
import type { Blip2Processor } from '@blip2/processor';

import type { ModelConfig } from '../checkpoint/model-config.ts';
import type { CheckpointParts } from '../parts/checkpoint-parts.ts';
import type { Blip2Parts, PromptInputs, PromptTasks } from '../pipeline/blip2-pipeline.ts';
import { encodePatches } from '../pipeline/encode-patches.ts';
import type { PromptLayout } from '../pipeline/merge-prompt.ts';
import { type Extract, type FeatureTools, languageStates, type Wanted } from './feature-tools.ts';
import { languageFeatures } from './language-features.ts';
import { visionFeatures } from './vision-features.ts';

/** How a model connects its parts. */
interface Connection<C extends ModelConfig, Q, Inputs extends PromptInputs> {
  loadQFormer(parts: CheckpointParts<C>): Promise<Q>;
  connect(
    parts: Omit<Blip2Parts, 'qformer'> & { readonly qformer: Q },
    layout: PromptLayout,
  ): Pick<PromptTasks<Inputs>, 'embedPrompt'>;
}

/** The features that need no Q-Former: those of the vision encoder, and those of texts without images. */
export function featuresWithoutQFormer<C extends ModelConfig>(
  tools: FeatureTools<C, Pick<Blip2Processor, 'tokenizer'>>,
): { readonly ofVision: Extract; readonly ofTexts: Extract } {
  const { parts } = tools;
  return {
    ofVision: visionFeatures({ ...tools, vision: () => parts.vision() }),
    ofTexts: languageFeatures({
      tokenizer: async () => (await tools.processor()).tokenizer,
      language: () => parts.language(),
    }),
  };
}

/** What the Q-Former reads of images: `[batch, patches, visionHidden]`. */
export async function finitePatches(
  parts: Pick<CheckpointParts, 'vision'>,
  pixelValues: PixelValues,
  { signal }: Pick<Wanted, 'signal'>,
): Promise<PatchFeatures> {
  const patches = await encodePatches(await parts.vision(), pixelValues, defined({ signal }));
  const finite = expectFinite('vision encoder', patches);
  signal?.throwIfAborted();
  return finite;
}

/** The states of the queries, or their projection to the width of the language model. */
export async function queriesOrProjection(
  parts: Pick<CheckpointParts, 'projection'>,
  states: QueryFeatures,
  { part }: Pick<Wanted, 'part'>,
): Promise<Tensor<'float32'>> {
  const queries = expectFinite('Q-Former', states);
  if (part === 'qformer') return queries;
  return expectFinite('language projection', await (await parts.projection()).project(queries));
}

/** The hidden states of the language model for a prompt with images. */
export async function promptStates<C extends ModelConfig, Q, Inputs extends PromptInputs>(
  parts: CheckpointParts<C>,
  { loadQFormer, connect }: Connection<C, Q, Inputs>,
  prompt: Inputs,
  wanted: Wanted,
): Promise<Tensor<'float32'>> {
  const language = await parts.language();
  const [vision, qformer, projection] = [await parts.vision(), await loadQFormer(parts), await parts.projection()];
  const { imageTokenIndex } = parts.config;
  const { embedPrompt } = connect({ vision, qformer, projection, language }, { imageTokenIndex });
  return languageStates(language, await embedPrompt(prompt, defined({ signal: wanted.signal })), wanted);
}
