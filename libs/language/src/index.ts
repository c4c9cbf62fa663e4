export { causalLoss, crossEntropy, IGNORED_LABEL } from './cross-entropy.ts';
export { startCausalDecoding, type CausalStep, type CausalStepOutput, type CausalStepper } from './causal-decoding.ts';
export { KeyValueCache, type CacheSize } from './key-value-cache.ts';
export { createOptForCausalLM, OptForCausalLM, type CausalLMInputs, type CausalLMOptions, type CausalLMOutput } from './opt-for-causal-lm.ts';
export { buildOptDecoder, buildOptEmbedding, optSignature, optTensors, type OptRequest, type OptSignature } from './opt-graph.ts';
