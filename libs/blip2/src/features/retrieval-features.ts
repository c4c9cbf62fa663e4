import { defined, expectFinite, type Tensor } from '@blip2/interfaces';
import { firstPositions } from '@blip2/qformer';

import { encodePatches } from '../pipeline/encode-patches.ts';
import type { Blip2Retrieval } from '../retrieval/blip2-retrieval.ts';
import type { EmbedInputs } from '../retrieval/embed-inputs.ts';
import { tokenize } from '../retrieval/encode-retrieval-inputs.ts';
import { eachPair, type ProcessedPair } from './each-pair.ts';
import { atLayer, type FeaturePart } from './feature-parts.ts';
import { type Extract, HIDDEN_STATES, rowsOf, type Wanted } from './feature-tools.ts';
import { ofImages, visionFeatures } from './vision-features.ts';

/** A retrieval checkpoint with its model. */
export type RetrievalTools = Pick<
  Awaited<ReturnType<typeof Blip2Retrieval.fromPretrained>>,
  'embed' | 'model' | 'processor'
>;

/** The features of a retrieval checkpoint: those of `Blip2Retrieval`, and the hidden states of every layer. */
export function retrievalFeatures(retrieval: RetrievalTools): Extract {
  return async (inputs, { part, layer, ...options }) =>
    layer === undefined
      ? retrieval.embed(inputs, { ...options, part: part as Exclude<FeaturePart, 'projection' | 'language'> })
      : layerOf(retrieval, inputs, { part, layer, ...options });
}

async function layerOf(tools: RetrievalTools, inputs: EmbedInputs, wanted: Wanted): Promise<Tensor<'float32'>[]> {
  const { model, processor } = tools;
  const { images, text } = inputs;
  const { visionModel: vision, qformer } = model;
  const { imageProcessor } = processor;
  const layer = wanted.layer ?? -1;
  if (images && text)
    return eachPair({ images, text }, processor, wanted, (pair) => pairStates(tools, pair, { ...wanted, layer }));
  if (!images) return textStates(tools, text ?? [], { ...wanted, layer });
  if (wanted.part === 'vision')
    return visionFeatures({ imageProcessor, vision: () => Promise.resolve(vision) })(inputs, wanted);
  return ofImages(images, { imageProcessor }, wanted, async (pixelValues) => {
    const encoderHiddenStates = expectFinite('vision encoder', await encodePatches(vision, pixelValues));
    const { hiddenStates } = await qformer.forward({ encoderHiddenStates }, HIDDEN_STATES);
    return expectFinite('Q-Former', atLayer(hiddenStates, layer));
  });
}

type Layered = Wanted & { readonly layer: number };

async function textStates(
  { model: { qformer }, processor }: RetrievalTools,
  texts: readonly string[],
  { layer, signal }: Layered,
): Promise<Tensor<'float32'>[]> {
  const results: Tensor<'float32'>[] = [];
  for (const ids of tokenize({ processor, qformer }, texts)) {
    signal?.throwIfAborted();
    const { hiddenStates } = await qformer.read({ inputIds: [ids] }, HIDDEN_STATES);
    results.push(...rowsOf(expectFinite('Q-Former', atLayer(hiddenStates, layer))));
  }
  return results;
}

/** The states of the queries; the positions of the text follow them. */
async function pairStates(
  { model: { visionModel, qformer } }: RetrievalTools,
  { pixelValues, inputIds = [], attentionMask }: ProcessedPair,
  { layer }: Layered,
): Promise<Tensor<'float32'>> {
  const encoderHiddenStates = expectFinite('vision encoder', await encodePatches(visionModel, pixelValues));
  const inputs = { inputIds, encoderHiddenStates, ...defined({ attentionMask }) };
  const { hiddenStates } = await qformer.read(inputs, HIDDEN_STATES);
  return expectFinite('Q-Former', firstPositions(atLayer(hiddenStates, layer), qformer.numQueryTokens));
}
