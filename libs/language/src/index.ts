export { causalLoss, crossEntropy, IGNORED_LABEL } from './cross-entropy.ts';
export { startCausalDecoding, type CausalStep, type CausalStepOutput, type CausalStepper } from './causal-decoding.ts';
export { KeyValueCache, type CacheSize } from './key-value-cache.ts';
export { causalSignature, type CausalRequest, type CausalSignature, type CausalSizes, type EmbeddingSignature } from './causal-graph.ts';
export {
  createCausalLanguageModel, type CausalArchitecture, type CausalLanguageModel, type CausalLMInputs, type CausalLMOptions, type CausalLMOutput,
} from './causal-language-model.ts';
export type { KeyValue, KeyValueTensor, Seq2SeqKeyValue } from './past-key-values.ts';
export { createLlamaForCausalLM, LlamaForCausalLM } from './llama-for-causal-lm.ts';
export { buildLlamaDecoder, buildLlamaEmbedding, llamaSignature, llamaTensors, type LlamaSignature } from './llama-graph.ts';
export { createOptForCausalLM, OptForCausalLM } from './opt-for-causal-lm.ts';
export { buildOptDecoder, buildOptEmbedding, optSignature, optSizes, optTensors, type OptSignature } from './opt-graph.ts';
export { startSeq2SeqDecoding, type Seq2SeqStep, type Seq2SeqStepOutput, type Seq2SeqStepper } from './seq2seq-decoding.ts';
export { encoderMemory, type CrossTensor, type EncoderMemory } from './encoder-memory.ts';
export { createT5ForConditionalGeneration, T5ForConditionalGeneration } from './t5-for-conditional-generation.ts';
export type { Seq2SeqLMInputs, Seq2SeqLMOptions, Seq2SeqLMOutput } from './t5-forward.ts';
export { buildT5Decoder, t5DecoderSignature, type T5DecoderRequest, type T5DecoderSignature } from './t5-decoder-graph.ts';
export { buildT5Cross, buildT5Embedding, buildT5Encoder, t5EncoderSignature, type T5CrossSignature, type T5EncoderSignature, type T5StackRequest } from './t5-encoder-graph.ts';
export { t5Initializer, t5Tensors } from './t5-tensors.ts';
export { languageInitializer, languageTensors } from './language-tensors.ts';
export { planLanguage } from './plan-language.ts';
export type { CachedStep, CachedStepOutput, CachedStepper } from './cached-decoding.ts';
export type { CacheTensor, NewRows } from './key-value-cache.ts';
export type { StoresByRows } from './language-weights.ts';
