export type { CausalArchitecture, PositionInputs } from './causal/causal-architecture.ts';
export type {
  CausalLanguageModel,
  CausalLMInputs,
  CausalLMOptions,
  CausalLMOutput,
} from './causal/causal-forward-types.ts';
export { createCausalLanguageModel } from './causal/causal-language-model.ts';
export {
  type CausalRequest,
  type CausalSignature,
  causalSignature,
  type CausalSizes,
} from './causal/causal-signature.ts';
export { causalLoss, crossEntropy, IGNORED_LABEL } from './causal/cross-entropy.ts';
export { type CausalDefinition, defineCausalLanguageModel } from './causal/define-causal-language-model.ts';
export { defineRotaryLanguageModel, type RotaryDefinition } from './causal/define-rotary-language-model.ts';
export type { LearnedPositionsSignature } from './causal/learned-positions.ts';
export type { RotaryConfigOf, RotaryDecoderLayout } from './causal/rotary-decoder-layout.ts';
export type { RotarySignature } from './causal/rotary-inputs.ts';
export type { DecoderRequest } from './decoder-outputs.ts';
export type { CachedStep, CachedStepOutput, CachedStepper } from './decoding/cached-stepper.ts';
export {
  type CausalStep,
  type CausalStepOutput,
  type CausalStepper,
  startCausalDecoding,
} from './decoding/causal-decoding.ts';
export type { StoresByRows } from './decoding/decode-stores.ts';
export { type CrossTensor, type EncoderMemory, encoderMemory } from './decoding/encoder-memory.ts';
export type { CacheTensor, NewRows } from './decoding/key-value-cache.ts';
export { type CacheSize, KeyValueCache } from './decoding/key-value-cache.ts';
export type { KeyValue, KeyValueTensor, Seq2SeqKeyValue } from './decoding/past-key-values.ts';
export {
  type Seq2SeqStep,
  type Seq2SeqStepOutput,
  type Seq2SeqStepper,
  startSeq2SeqDecoding,
} from './decoding/seq2seq-decoding.ts';
export type { PositionValues } from './exported/position-values.ts';
export type { NewPositions } from './exported/sequence-values.ts';
export {
  languageFamilies,
  languageFamily,
  type LanguageFamilyDefinition,
  languageInitializer,
  languageTensors,
  loadLanguageModel,
  planLanguage,
  registerLanguageFamily,
} from './families.ts';
export { Gemma3ForCausalLM } from './gemma3-text/gemma3-for-causal-lm.ts';
export { GPT2LMHeadModel } from './gpt2/gpt2-for-causal-lm.ts';
export type { CheckpointLanguageModel, LanguageFamily } from './language-family.ts';
export { createLlamaForCausalLM, LlamaForCausalLM } from './llama/llama-for-causal-lm.ts';
export {
  buildLlamaDecoder,
  buildLlamaEmbedding,
  type LlamaSignature,
  llamaSignature,
  llamaTensors,
} from './llama/llama-graph.ts';
export { MistralForCausalLM } from './mistral/mistral-for-causal-lm.ts';
export { MT5ForConditionalGeneration } from './mt5/mt5-for-conditional-generation.ts';
export type { CacheOptions } from './onnx-file/decoder-layout.ts';
export type { EmbeddingMatrix, EmbedTokens } from './onnx-file/file-embeddings.ts';
export type { LanguageFileOptions } from './onnx-file/file-settings.ts';
export {
  type OnnxLanguageModel,
  onnxLanguageModel,
  type OnnxLanguageModelOptions,
} from './onnx-file/onnx-language-model.ts';
export { createOptForCausalLM, OptForCausalLM } from './opt/opt-for-causal-lm.ts';
export {
  buildOptDecoder,
  buildOptEmbedding,
  type OptSignature,
  optSignature,
  optSizes,
  optTensors,
} from './opt/opt-graph.ts';
export { Phi3ForCausalLM } from './phi3/phi3-for-causal-lm.ts';
export { Qwen2ForCausalLM } from './qwen2/qwen2-for-causal-lm.ts';
export { Qwen3ForCausalLM } from './qwen3/qwen3-for-causal-lm.ts';
export {
  defineSeq2SeqLanguageModel,
  type Seq2SeqDefinition,
  type Seq2SeqPart,
} from './seq2seq/define-seq2seq-language-model.ts';
export type {
  Seq2SeqLanguageModel,
  Seq2SeqLMInputs,
  Seq2SeqLMOptions,
  Seq2SeqLMOutput,
} from './seq2seq/seq2seq-language-model.ts';
export {
  buildT5Decoder,
  type T5DecoderRequest,
  type T5DecoderSignature,
  t5DecoderSignature,
} from './seq2seq/t5-decoder-graph.ts';
export {
  buildT5Cross,
  buildT5Embedding,
  buildT5Encoder,
  type T5CrossSignature,
  type T5EncoderSignature,
  t5EncoderSignature,
  type T5StackRequest,
} from './seq2seq/t5-encoder-graph.ts';
export { t5Initializer, t5Tensors } from './seq2seq/t5-tensors.ts';
export { createT5ForConditionalGeneration, T5ForConditionalGeneration } from './t5/t5-for-conditional-generation.ts';
export type { EmbeddingSignature } from './token-embedding-graph.ts';
export { UMT5ForConditionalGeneration } from './umt5/umt5-for-conditional-generation.ts';
