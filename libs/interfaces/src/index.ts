export type {
  AttentionMask, Attentions, Dims, HiddenStates, Logits, PatchFeatures, PixelValues, QueryFeatures, Rows, Tensor, TensorType, TokenEmbeddings, TokenIds, TypedArrays,
} from './tensor.ts';
export { nearestName } from './nearest-name.ts';
export { Blip2Error, type ErrorCode, type ErrorDetails } from './errors.ts';
export { f32, i64, type Axis, type InputsOf, type OutputsOf, type Signature, type TensorOf, type TensorSpec } from './signature.ts';
export type { ActivationBits, GraphTarget, OnnxModel, Session, SessionFactory, SessionOptions } from './session.ts';
export type { BlockQuantizedWeight, ColumnQuantizedWeight, NormFold, PlannedWeight, Precision, PrecisionChoice, QuantizedWeight, StoredTensor, StoredType, WeightStore } from './weights.ts';
export {
  LanguageModel, LanguageProjection, QFormer, VisionEncoder,
  type Decoding, type EncodeOptions, type Extension, type Prompt, type SpecialTokens, type TextConditionedQFormer,
} from './parts.ts';
export type { LogitsProcessor, Sampler, StoppingCriterion, Streamer } from './generation.ts';
export {
  generationOptions, type GenerationOption, type GenerationOptionKind, type GenerationOptions, type LengthDecay, type SequenceBias,
} from './generation-options.ts';
export type { ImageSource, ProcessedInputs, RawImage, RgbImage, SharpLike, TextTokenizer } from './processor.ts';
export { token, type Resolved, type Token } from './token.ts';
