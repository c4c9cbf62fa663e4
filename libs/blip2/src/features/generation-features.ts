import type { Blip2Config } from '@blip2/config';
import { expectFinite, type PixelValues, type Tensor } from '@blip2/interfaces';
import type { Blip2Processor } from '@blip2/processor';

import { connectCheckpoint, type PromptInputs } from '../pipeline/blip2-pipeline.ts';
import { eachPair } from './each-pair.ts';
import { atLayer } from './feature-parts.ts';
import { type Extract, type FeatureTools, HIDDEN_STATES, type Wanted } from './feature-tools.ts';
import { featuresWithoutQFormer, finitePatches, promptStates, queriesOrProjection } from './prompt-features.ts';
import { ofImages } from './vision-features.ts';

type Tools = FeatureTools<Blip2Config, Blip2Processor>;

const CONNECTION = { loadQFormer: ({ qformer }: Tools['parts']) => qformer(), connect: connectCheckpoint };

/** The features of a BLIP-2 checkpoint with a language model. */
export function generationFeatures(tools: Tools): Extract {
  const { ofVision, ofTexts } = featuresWithoutQFormer(tools);
  return async (inputs, wanted) => {
    const { images, text } = inputs;
    if (!images) return ofTexts(inputs, wanted);
    if (wanted.part === 'vision') return ofVision(inputs, wanted);
    const ofPrompt = (prompt: PromptInputs): Promise<Tensor<'float32'>> =>
      promptStates(tools.parts, CONNECTION, prompt, wanted);
    if (text) return eachPair({ images, text }, await tools.processor(), wanted, ofPrompt);
    return ofImages(images, tools, wanted, (pixelValues) =>
      wanted.part === 'language' ? ofPrompt({ pixelValues }) : queryStates(tools, pixelValues, wanted),
    );
  };
}

async function queryStates({ parts }: Tools, pixelValues: PixelValues, wanted: Wanted): Promise<Tensor<'float32'>> {
  const encoderHiddenStates = await finitePatches(parts, pixelValues, wanted);
  const qformer = await parts.qformer();
  if (wanted.layer !== undefined) {
    const { hiddenStates } = await qformer.forward({ encoderHiddenStates }, HIDDEN_STATES);
    return expectFinite('Q-Former', atLayer(hiddenStates, wanted.layer));
  }
  return queriesOrProjection(parts, await qformer.query(encoderHiddenStates), wanted);
}
