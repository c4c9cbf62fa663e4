import { OptConfig } from '@blip2/config';
import type { Tensor, TokenIds } from '@blip2/interfaces';
import { type Part, type PartWeights, type StandalonePart, transformerInitializer } from '@blip2/part';
import { type PartOptions, rowsTensor } from '@blip2/runtime';

import type { CausalLanguageModel } from '../causal/causal-forward-types.ts';
import { defineCausalLanguageModel } from '../causal/define-causal-language-model.ts';
import { offsetPositionIds } from '../exported/position-values.ts';
import type { LanguageFamily } from '../language-family.ts';
import { sensitiveHead } from '../sensitive-head.ts';
import { buildOptDecoder, buildOptEmbedding, optSizes, POSITION_OFFSET, TOKEN_EMBEDDING } from './opt-graph.ts';

/** OPT with its language-model head: the seam for decoding, and the full forward of HF `OPTForCausalLM`. */
export interface OptForCausalLM extends CausalLanguageModel, StandalonePart<OptConfig> {
  prepare(): Promise<void>;
}

export const OptForCausalLM: Part<OptConfig, OptForCausalLM> = defineCausalLanguageModel<OptConfig>({
  architectures: { opt: 'OPTForCausalLM' },
  config: OptConfig,
  sizes: optSizes,
  maxPositions: ({ maxPositionEmbeddings }) => maxPositionEmbeddings,
  initializer: ({ initStd }) => transformerInitializer(initStd),
  buildEmbedding: buildOptEmbedding,
  buildDecoder: buildOptDecoder,
  positionInputs: (_, mask, count) => ({ position_ids: positionIds(mask, count) }),
  tokenEmbeddings: [TOKEN_EMBEDDING],
  positionValues: offsetPositionIds(POSITION_OFFSET),
  sensitive: [sensitiveHead('embed_tokens')],
});

export const optFamily: LanguageFamily<OptConfig> = { part: OptForCausalLM, tokenEmbeddings: [TOKEN_EMBEDDING] };

/** Creates an OPT model from its configuration and weights. Nothing is loaded before its first use. */
export function createOptForCausalLM(config: OptConfig, weights: PartWeights, options?: PartOptions): OptForCausalLM {
  return OptForCausalLM.create(config, weights, options);
}

/**
 * Rows of the position embedding for the last `count` positions. Padding is not counted
 * (HF `OPTLearnedPositionalEmbedding`).
 */
function positionIds(mask: readonly TokenIds[], count: number): Tensor<'int64', [number, number]> {
  const rows = mask.map((row) => {
    let seen = 0;
    return row.map((counts) => (counts ? seen++ + POSITION_OFFSET : POSITION_OFFSET - 1)).slice(row.length - count);
  });
  return rowsTensor(rows, 'attentionMask');
}
