import './dispose-symbols.ts';

export { type DifferentiableLanguageModel, expectDifferentiable } from './checks/expect-differentiable.ts';
export { expectKnownOptions } from './checks/expect-known-options.ts';
export { expectInputs, expectTensor, isTensorLike } from './checks/expect-tensor.ts';
export { expectFinite } from './checks/finite.ts';
export { nearestName } from './checks/nearest-name.ts';
export { expectThreads, isChoiceFor, isComplete, parseThreads, THREADS_VARIABLE } from './checks/thread-choice.ts';
export { defined } from './defined.ts';
export {
  type ArgumentDetails,
  Blip2Error,
  type ErrorCode,
  type ErrorDetails,
  mustBe,
  type RefusedArgument,
} from './errors.ts';
export type { LogitsProcessor, Sampler, StoppingCriterion, Streamer } from './generation.ts';
export type { GenerationOption, GenerationOptionKind } from './generation-option.ts';
export { generationOptions } from './generation-option-table.ts';
export type { GenerationOptions, LengthDecay, SequenceBias } from './generation-options.ts';
export type { LoadProgress } from './load-progress.ts';
export {
  type Decoding,
  type EncodeOptions,
  type Extension,
  LanguageModel,
  LanguageProjection,
  type PrepareOptions,
  type Prompt,
  QFormer,
  type SpecialTokens,
  type TextConditionedQFormer,
  VisionEncoder,
} from './parts.ts';
export { processWide } from './process-wide.ts';
export type { ImageSource, ProcessedInputs, RawImage, RgbImage, SharpLike, TextTokenizer } from './processor.ts';
export { isError, isTypedArray, messageOf, type TypedArraysByName } from './realms.ts';
export { concatPositions, onesMask, pickRows, repeatRow, slicePositions, stackRows } from './rows.ts';
export type {
  ActivationBits,
  GraphTarget,
  OnnxModel,
  Phase,
  Session,
  SessionFactory,
  SessionOptions,
  ThreadChoice,
} from './session.ts';
export { onAbort } from './signals/on-abort.ts';
export { unlessAborted } from './signals/unless-aborted.ts';
export {
  type Axis,
  f32,
  i64,
  type InputsOf,
  type OutputsOf,
  type Signature,
  type TensorOf,
  type TensorSpec,
} from './signature.ts';
export type {
  AttentionMask,
  Attentions,
  Dims,
  HiddenStates,
  Logits,
  PatchFeatures,
  PixelValues,
  QueryFeatures,
  Rows,
  Tensor,
  TensorType,
  TokenEmbeddings,
  TokenIds,
  TypedArrays,
} from './tensor.ts';
export { type Resolved, type Token, token } from './token.ts';
export type { LossAndGradient, LossOptions } from './training.ts';
export type {
  BlockQuantizedWeight,
  ColumnQuantizedWeight,
  NormFold,
  PlannedWeight,
  Precision,
  PrecisionChoice,
  QuantizedWeight,
  StoredTensor,
  StoredType,
  VersionedFile,
  WeightStore,
} from './weights.ts';
