import { Gpt2Config } from '@blip2/config';
import { type InitializeTensor, type Part, type StandalonePart, transformerInitializer } from '@blip2/part';
import { rowsTensor } from '@blip2/runtime';

import type { CausalLanguageModel } from '../causal/causal-forward-types.ts';
import { defineCausalLanguageModel } from '../causal/define-causal-language-model.ts';
import { positionsOf } from '../causal/positions.ts';
import { countedPositionIds } from '../exported/position-values.ts';
import type { LanguageFamily } from '../language-family.ts';
import { sensitiveHead } from '../sensitive-head.ts';
import { buildGpt2Decoder, buildGpt2Embedding, gpt2Sizes, TOKEN_EMBEDDINGS } from './gpt2-graph.ts';

/** A GPT-2 model with its head: the seam for decoding, and the full forward of HF `GPT2LMHeadModel`. */
export interface GPT2LMHeadModel extends CausalLanguageModel, StandalonePart<Gpt2Config> {
  prepare(): Promise<void>;
}

export const GPT2LMHeadModel: Part<Gpt2Config, GPT2LMHeadModel> = defineCausalLanguageModel<Gpt2Config>({
  architectures: { gpt2: 'GPT2LMHeadModel' },
  config: Gpt2Config,
  sizes: gpt2Sizes,
  maxPositions: ({ maxPositionEmbeddings }) => maxPositionEmbeddings,
  initializer,
  buildEmbedding: buildGpt2Embedding,
  buildDecoder: buildGpt2Decoder,
  positionInputs: (_, mask, count, use) => ({
    position_ids: rowsTensor(positionsOf(mask, count, use), 'attentionMask'),
  }),
  tokenEmbeddings: TOKEN_EMBEDDINGS,
  positionValues: countedPositionIds,
  sensitive: [sensitiveHead('wte')],
});

/** `_init_weights` of HF `GPT2PreTrainedModel`: layers that add to the residual have smaller weights. */
function initializer({ initializerRange, numHiddenLayers }: Gpt2Config): InitializeTensor {
  const initialize = transformerInitializer(initializerRange);
  return (name, shape) => {
    if (/\bln_(?:1|2|f)\.weight$/.test(name)) return { kind: 'ones' };
    if (name.endsWith('c_proj.weight'))
      return { kind: 'normal', std: initializerRange / Math.sqrt(2 * numHiddenLayers) };
    return initialize(name, shape);
  };
}

export const gpt2Family: LanguageFamily<Gpt2Config> = { part: GPT2LMHeadModel, tokenEmbeddings: TOKEN_EMBEDDINGS };
