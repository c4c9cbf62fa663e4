import type { Blip2Config } from '@blip2/config';
import { defined, expectFinite, type PixelValues, type Tensor } from '@blip2/interfaces';
import type { Blip2Processor } from '@blip2/processor';

import { connectCheckpoint, type PromptInputs } from '../pipeline/blip2-pipeline.ts';
import { encodePatches } from '../pipeline/encode-patches.ts';
import { eachPair } from './each-pair.ts';
import { atLayer } from './feature-parts.ts';
import { type Extract, type FeatureTools, HIDDEN_STATES, languageStates, type Wanted } from './feature-tools.ts';
import { languageFeatures } from './language-features.ts';
import { ofImages, visionFeatures } from './vision-features.ts';

type Tools = FeatureTools<Blip2Config, Blip2Processor>;

/** The features of a BLIP-2 checkpoint with a language model. */
export function generationFeatures(tools: Tools): Extract {
  const { parts } = tools;
  const ofVision = visionFeatures({ ...tools, vision: () => parts.vision() });
  const ofTexts = languageFeatures({
    tokenizer: async () => (await tools.processor()).tokenizer,
    language: () => parts.language(),
  });
  return async (inputs, wanted) => {
    const { images, text } = inputs;
    if (!images) return ofTexts(inputs, wanted);
    if (wanted.part === 'vision') return ofVision(inputs, wanted);
    const ofPrompt = (prompt: PromptInputs): Promise<Tensor<'float32'>> => promptStates(tools, prompt, wanted);
    if (text) return eachPair({ images, text }, await tools.processor(), wanted, ofPrompt);
    return ofImages(images, tools, wanted, (pixelValues) =>
      wanted.part === 'language' ? ofPrompt({ pixelValues }) : queryStates(tools, pixelValues, wanted),
    );
  };
}

async function queryStates(
  { parts }: Tools,
  pixelValues: PixelValues,
  { part, layer, signal }: Wanted,
): Promise<Tensor<'float32'>> {
  const patches = await encodePatches(await parts.vision(), pixelValues, defined({ signal }));
  const encoderHiddenStates = expectFinite('vision encoder', patches);
  signal?.throwIfAborted();
  const qformer = await parts.qformer();
  if (layer !== undefined) {
    const { hiddenStates } = await qformer.forward({ encoderHiddenStates }, HIDDEN_STATES);
    return expectFinite('Q-Former', atLayer(hiddenStates, layer));
  }
  const queries = expectFinite('Q-Former', await qformer.query(encoderHiddenStates));
  if (part === 'qformer') return queries;
  return expectFinite('language projection', await (await parts.projection()).project(queries));
}

/** The hidden states of the language model for a prompt with images. */
async function promptStates({ parts }: Tools, prompt: PromptInputs, wanted: Wanted): Promise<Tensor<'float32'>> {
  const language = await parts.language();
  const [vision, qformer, projection] = [await parts.vision(), await parts.qformer(), await parts.projection()];
  const { imageTokenIndex } = parts.config;
  const { embedPrompt } = connectCheckpoint({ vision, qformer, projection, language }, { imageTokenIndex });
  return languageStates(language, await embedPrompt(prompt, defined({ signal: wanted.signal })), wanted);
}
