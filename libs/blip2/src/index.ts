export type { CheckpointAdapters } from './adapters/checkpoint-adapters.ts';
export type { AdapterSelection, ModelAdapters } from './adapters/named-adapters.ts';
export type { BatchingOptions } from './batching/batching-options.ts';
export type { EncoderStatus } from './batching/encoder-batches.ts';
export type { ImageCacheStatus } from './batching/image-cache.ts';
export type { PromptCounts, PromptState, PromptStates } from './batching/prompt-states.ts';
export type { BatchingStatus } from './batching/share-model.ts';
export { expectUsableImages, expectUsablePrompts, expectUsableWeights } from './checkpoint/expect-usable.ts';
export type { ConfigReader, ModelConfig } from './checkpoint/model-config.ts';
export { type ModelFolders, type ModelSources, readSourcesConfig, resolveSources } from './checkpoint/model-sources.ts';
export { modelTensors } from './checkpoint/model-tensors.ts';
export { type PlannedFile, plannedFiles } from './checkpoint/planned-weights.ts';
export { type CheckpointTask, type RunnableTasks, runnableTasks } from './checkpoint/runnable-tasks.ts';
export { type ModelContent, saveModel, type SaveModelOptions } from './checkpoint/save-model.ts';
export { openSinglePart, type SinglePart, singlePartOf } from './checkpoint/single-part.ts';
export {
  expectNoneMissing,
  isTokenEmbedding,
  listNames,
  missingTensors,
  openWholeWeights,
  unexpectedTensors,
  type WholeWeights,
} from './checkpoint/whole-weights.ts';
export type { WindowFill } from './explain/hidden-windows.ts';
export { contrastScore, type ImageScore, likelihoodScore, matchScore } from './explain/image-scores.ts';
export {
  type OcclusionMap,
  occlusionMap,
  type OcclusionMode,
  type OcclusionOptions,
  positiveShare,
} from './explain/occlusion-map.ts';
export { overlayHeatmap, type OverlayOptions } from './explain/overlay-heatmap.ts';
export {
  type AttentionMap,
  queryAttention,
  type QueryAttentionOptions,
  type QueryAttentionParts,
} from './explain/query-attention.ts';
export type { ExportedFile, ExportedValue, ExportManifest } from './export/export-manifest.ts';
export { exportOnnx, type ExportOnnxOptions } from './export/export-onnx.ts';
export { Blip2Features } from './features/blip2-features.ts';
export { encoderKey } from './features/encoder-key.ts';
export type { FeatureKind, FeatureOptions, FeaturePart, FeatureParts, InputsKind } from './features/feature-parts.ts';
export { featureParts } from './features/feature-parts.ts';
export { readFeatureKind } from './features/feature-source.ts';
export type {
  EncodedBatch,
  EncodedImage,
  ImageBatch,
  KeptImage,
  ReadPrefixOptions,
  TaskImage,
} from './images/encoded-image.ts';
export type { ImageOptions, TaskProcessor, TaskTools } from './images/task-images.ts';
export type { CallQueue, QueuedCall, QueueOptions, QueueTurn } from './lifetime/call-queue.ts';
export { type LoadedOnce, loadOnce } from './lifetime/load-once.ts';
export { Blip2ForConditionalGeneration, type ForwardInputs } from './models/blip2-for-conditional-generation.ts';
export { Blip2Model, type ImageInputs, type TextFeatures } from './models/blip2-model.ts';
export type { ConditionalGeneration } from './models/conditional-generation.ts';
export {
  createConditionalGeneration,
  type WholeModelOptions,
  type WholeModelParts,
} from './models/create-conditional-generation.ts';
export type { ForwardOptions, ForwardOutput } from './models/forward-options.ts';
export type { LanguageModelOutput, PromptOutput, TargetInputs } from './models/forward-prompt.ts';
export {
  InstructBlipForConditionalGeneration,
  type InstructForwardInputs,
  type InstructForwardOutput,
} from './models/instructblip-for-conditional-generation.ts';
export type { ModelLoader, PretrainedLoader } from './models/model-loader.ts';
export { type TextGenerator, type TextInputs, withGenerate } from './models/with-generate.ts';
export { type CheckpointParts, openCheckpointParts } from './parts/checkpoint-parts.ts';
export type { LoadOptions, PartWithPrecision } from './parts/load-options.ts';
export type { ModelHosts } from './parts/model-hosts.ts';
export { type InitializeTensor, type RandomOptions, referenceInitializer } from './parts/random-parts.ts';
export {
  type Blip2Parts,
  type Blip2Pipeline,
  createPipeline,
  type EncodeImagesOptions,
  type PromptInputs,
  type PromptTasks,
} from './pipeline/blip2-pipeline.ts';
export {
  createInstructBlipPipeline,
  type InstructBlipParts,
  type InstructBlipPipeline,
  type Instruction,
  type InstructPromptInputs,
} from './pipeline/instructblip-pipeline.ts';
export type { MergedPrompt, PromptLayout, VisualPrefix } from './pipeline/merge-prompt.ts';
export {
  Blip2ForImageTextRetrieval,
  type RetrievalInputs,
  type RetrievalModelParts,
  type RetrievalOptions,
  type RetrievalOutput,
} from './retrieval/blip2-for-image-text-retrieval.ts';
export { Blip2Retrieval, createBlip2Retrieval, type MatchScore } from './retrieval/blip2-retrieval.ts';
export {
  Blip2TextModelWithProjection,
  type TextProjectionOptions,
  type TextProjectionOutput,
} from './retrieval/blip2-text-model-with-projection.ts';
export {
  Blip2VisionModelWithProjection,
  type VisionProjectionOutput,
} from './retrieval/blip2-vision-model-with-projection.ts';
export type { ClassifyOptions, LabelScore } from './retrieval/classify-images.ts';
export type { EmbedInputs, EmbedOptions, EmbedPart } from './retrieval/embed-inputs.ts';
export type { RetrievalTaskOptions, RetrievalTaskParts } from './retrieval/encode-retrieval-inputs.ts';
export { meanVector } from './retrieval/mean-vector.ts';
export type { RankedCandidate, RetrieveOptions } from './retrieval/rank-candidates.ts';
export {
  RETRIEVAL_CONTENT,
  type RetrievalContent,
  type RetrievalPart,
  retrievalTensors,
} from './retrieval/retrieval-content.ts';
export type { SavableModel } from './retrieval/savable-model.ts';
export type { Scores } from './retrieval/similarity.ts';
export { Blip2, type Blip2TaskParts, createBlip2 } from './tasks/blip2.ts';
export type { Conversation } from './tasks/chat/conversation.ts';
export type { ImageTasks, TaskPrompts } from './tasks/image-tasks.ts';
export { createInstructBlip, InstructBlip, type InstructBlipTaskParts } from './tasks/instructblip.ts';
export { loadImageTasks } from './tasks/load-image-tasks.ts';
export { captionPreset, shortAnswerPreset } from './tasks/presets.ts';
export {
  bareQuestion,
  chatPrompt,
  type ChatTemplate,
  instructChatPrompt,
  type PromptTemplate,
  questionPrompt,
  shortAnswerPrompt,
  type Turn,
} from './tasks/prompt-templates.ts';
export type { RankAnswersOptions, RankedAnswer } from './tasks/rank-answers.ts';
export type {
  AnswerOptions,
  CaptionOptions,
  ChatOptions,
  QuestionOptions,
  RankOptions,
  TaskOptions,
} from './tasks/task-options.ts';
export type { TextResult, Timings } from './tasks/text-result.ts';
export type { TextStream } from './tasks/text-stream.ts';
export type { EitherSpelling, Underscored } from './transformers-js/either-spelling.ts';
export type {
  ImageFeatureExtractionPipeline,
  ImageFeatureOptions,
} from './transformers-js/image-feature-extraction.ts';
export type { ImageToTextOutput, ImageToTextPipeline } from './transformers-js/image-to-text.ts';
export { pipeline, type PipelineTask, type TaskPipelines } from './transformers-js/pipeline.ts';
export type { PipelineOptions, TaskPipeline } from './transformers-js/task-pipeline.ts';
export type {
  VisualAnswer,
  VisualQuestionAnsweringOutput,
  VisualQuestionAnsweringPipeline,
} from './transformers-js/visual-question-answering.ts';
export type {
  ZeroShotImageClassificationOutput,
  ZeroShotImageClassificationPipeline,
  ZeroShotOptions,
} from './transformers-js/zero-shot-image-classification.ts';
export type { CheckpointLanguageModel } from '@blip2/language';
export { type AdapterBase, adapterBase, isAdapterOnly, type PartSource, partSource } from '@blip2/part';
