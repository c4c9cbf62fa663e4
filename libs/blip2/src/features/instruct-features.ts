import type { InstructBlipConfig } from '@blip2/config';
import { defined, type Tensor } from '@blip2/interfaces';
import type { InstructBlipProcessor } from '@blip2/processor';
import { firstPositions } from '@blip2/qformer';

import { connectInstructCheckpoint } from '../pipeline/instructblip-pipeline.ts';
import { eachPair, type ProcessedPair } from './each-pair.ts';
import { atLayer } from './feature-parts.ts';
import { type Extract, type FeatureTools, HIDDEN_STATES, type Wanted } from './feature-tools.ts';
import { featuresWithoutQFormer, finitePatches, promptStates, queriesOrProjection } from './prompt-features.ts';

type Tools = FeatureTools<InstructBlipConfig, InstructBlipProcessor>;

const CONNECTION = {
  loadQFormer: ({ textQFormer }: Tools['parts']) => textQFormer(),
  connect: connectInstructCheckpoint,
};

/** The features of InstructBLIP: those of the Q-Former depend on the text, which is its instruction. */
export function instructFeatures(tools: Tools): Extract {
  const { parts } = tools;
  const { ofVision, ofTexts } = featuresWithoutQFormer(tools);
  return async (inputs, wanted) => {
    const { images, text } = inputs;
    if (!images) return ofTexts(inputs, wanted);
    if (!text) return ofVision(inputs, wanted);
    return eachPair({ images, text }, await tools.processor(), wanted, (pair) =>
      wanted.part === 'language' ? promptStates(parts, CONNECTION, pair, wanted) : queryStates(tools, pair, wanted),
    );
  };
}

/** The states of the queries, also of a layer in which the positions of the text follow them. */
async function queryStates(
  { parts }: Tools,
  { pixelValues, qformerInputIds: inputIds = [], qformerAttentionMask: attentionMask }: ProcessedPair,
  wanted: Wanted,
): Promise<Tensor<'float32'>> {
  const { layer } = wanted;
  const encoderHiddenStates = await finitePatches(parts, pixelValues, wanted);
  const qformer = await parts.textQFormer();
  const inputs = { inputIds, encoderHiddenStates, ...defined({ attentionMask }) };
  const outputs = await qformer.read(inputs, { ...HIDDEN_STATES, outputHiddenStates: layer !== undefined });
  const states = layer === undefined ? outputs.lastHiddenState : atLayer(outputs.hiddenStates, layer);
  return queriesOrProjection(parts, firstPositions(states, qformer.numQueryTokens), wanted);
}
