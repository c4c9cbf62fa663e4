/** What a family of language models is defined with, for families of other packages. */
export { type CausalBlocks, causalDecoder, type CausalLayerContext } from './causal/causal-decoder.ts';
export { groupedAttention, type GroupedAttentionOptions } from './causal/grouped-attention.ts';
export { learnedPositionsSignature } from './causal/learned-positions.ts';
export { positionsOf } from './causal/positions.ts';
export { ROTARY_TOKEN_EMBEDDING } from './causal/rotary-decoder.ts';
export { rotaryInputs, rotarySignature, rotationsOf } from './causal/rotary-inputs.ts';
export { windowOf } from './causal/window.ts';
export type { DecoderLayerOutput } from './decoder-outputs.ts';
export { decodingName, decodingPhase, storeForStep, storesByRows } from './decoding/decode-stores.ts';
export {
  countedPositionIds,
  namedRotations,
  offsetPositionIds,
  type PositionValues,
  rotationValues,
} from './exported/position-values.ts';
export type { NewPositions } from './exported/sequence-values.ts';
export { sensitiveHead } from './sensitive-head.ts';
export { type HeadOptions, headWeights, languageModelHead, tokenEmbedding } from './tied-embedding.ts';
export { buildTokenEmbedding, type TokenEmbeddingOptions } from './token-embedding-graph.ts';
