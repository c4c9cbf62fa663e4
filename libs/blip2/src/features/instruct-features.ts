import type { InstructBlipConfig } from '@blip2/config';
import { defined, expectFinite, type Tensor } from '@blip2/interfaces';
import type { InstructBlipProcessor } from '@blip2/processor';
import { firstPositions } from '@blip2/qformer';

import { encodePatches } from '../pipeline/encode-patches.ts';
import { connectInstructCheckpoint } from '../pipeline/instructblip-pipeline.ts';
import { eachPair, type ProcessedPair } from './each-pair.ts';
import { atLayer } from './feature-parts.ts';
import { type Extract, type FeatureTools, HIDDEN_STATES, languageStates, type Wanted } from './feature-tools.ts';
import { languageFeatures } from './language-features.ts';
import { visionFeatures } from './vision-features.ts';

type Tools = FeatureTools<InstructBlipConfig, InstructBlipProcessor>;

/** The features of InstructBLIP: those of the Q-Former depend on the text, which is its instruction. */
export function instructFeatures(tools: Tools): Extract {
  const { parts } = tools;
  const ofVision = visionFeatures({ ...tools, vision: () => parts.vision() });
  const ofTexts = languageFeatures({
    tokenizer: async () => (await tools.processor()).tokenizer,
    language: () => parts.language(),
  });
  return async (inputs, wanted) => {
    const { images, text } = inputs;
    if (!images) return ofTexts(inputs, wanted);
    if (!text) return ofVision(inputs, wanted);
    const compute = wanted.part === 'language' ? promptStates : queryStates;
    return eachPair({ images, text }, await tools.processor(), wanted, (pair) => compute(tools, pair, wanted));
  };
}

/** The states of the queries, also of a layer in which the positions of the text follow them. */
async function queryStates(
  { parts }: Tools,
  { pixelValues, qformerInputIds: inputIds = [], qformerAttentionMask: attentionMask }: ProcessedPair,
  { part, layer, signal }: Wanted,
): Promise<Tensor<'float32'>> {
  const patches = await encodePatches(await parts.vision(), pixelValues, defined({ signal }));
  const encoderHiddenStates = expectFinite('vision encoder', patches);
  signal?.throwIfAborted();
  const qformer = await parts.textQFormer();
  const inputs = { inputIds, encoderHiddenStates, ...defined({ attentionMask }) };
  const outputs = await qformer.read(inputs, { ...HIDDEN_STATES, outputHiddenStates: layer !== undefined });
  const states = layer === undefined ? outputs.lastHiddenState : atLayer(outputs.hiddenStates, layer);
  const queries = expectFinite('Q-Former', firstPositions(states, qformer.numQueryTokens));
  if (part === 'qformer') return queries;
  return expectFinite('language projection', await (await parts.projection()).project(queries));
}

/** The hidden states of the language model for a prompt with images. */
async function promptStates({ parts }: Tools, pair: ProcessedPair, wanted: Wanted): Promise<Tensor<'float32'>> {
  const language = await parts.language();
  const [vision, qformer, projection] = [await parts.vision(), await parts.textQFormer(), await parts.projection()];
  const { imageTokenIndex } = parts.config;
  const { embedPrompt } = connectInstructCheckpoint({ vision, qformer, projection, language }, { imageTokenIndex });
  return languageStates(language, await embedPrompt(pair, defined({ signal: wanted.signal })), wanted);
}
