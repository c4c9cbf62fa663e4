export {
  type AnswerOptions,
  Blip2,
  type Blip2TaskParts,
  type CaptionOptions,
  type ChatOptions,
  createBlip2,
  type QuestionOptions,
  type RankOptions,
  type TaskOptions,
} from './blip2.ts';
export {
  Blip2ForConditionalGeneration,
  type ForwardInputs,
  type ForwardOptions,
  type ForwardOutput,
} from './blip2-for-conditional-generation.ts';
export { Blip2Model, type ImageInputs, type TextFeatures } from './blip2-model.ts';
export { type CheckpointParts, openCheckpointParts } from './checkpoint-parts.ts';
export type { LanguageModelOutput, PromptOutput, TargetInputs } from './forward-prompt.ts';
export type { WindowFill } from './heatmap/hidden-windows.ts';
export { contrastScore, type ImageScore, matchScore, writingScore } from './heatmap/image-scores.ts';
export {
  type OcclusionMap,
  occlusionMap,
  type OcclusionMode,
  type OcclusionOptions,
  positiveShare,
} from './heatmap/occlusion-map.ts';
export { overlayHeatmap, type OverlayOptions } from './heatmap/overlay-heatmap.ts';
export {
  type AttentionMap,
  queryAttention,
  type QueryAttentionOptions,
  type QueryAttentionParts,
} from './heatmap/query-attention.ts';
export { createInstructBlip, InstructBlip, type InstructBlipTaskParts } from './instruct/instructblip.ts';
export {
  InstructBlipForConditionalGeneration,
  type InstructForwardInputs,
  type InstructForwardOutput,
} from './instruct/instructblip-for-conditional-generation.ts';
export {
  createInstructBlipPipeline,
  type InstructBlipParts,
  type InstructBlipPipeline,
  type Instruction,
  type InstructPromptInputs,
} from './instruct/instructblip-pipeline.ts';
export { loadImageTasks } from './load-image-tasks.ts';
export type { LoadOptions, PartWithPrecision } from './load-options.ts';
export type { MergedPrompt } from './merge-prompt.ts';
export type { ModelConfig } from './model-config.ts';
export type { ModelFolders, ModelSources } from './model-sources.ts';
export { modelTensors } from './model-tensors.ts';
export type { CheckpointLanguageModel } from './part-loaders.ts';
export {
  type Blip2Parts,
  type Blip2Pipeline,
  createPipeline,
  type EncodeImagesOptions,
  type PromptInputs,
  type PromptLayout,
  type PromptTasks,
  type VisualPrefix,
} from './pipeline.ts';
export type { EitherSpelling, Underscored } from './pipelines/either-spelling.ts';
export type { ImageFeatureExtractionPipeline, ImageFeatureOptions } from './pipelines/image-feature-extraction.ts';
export type { ImageToTextOutput, ImageToTextPipeline } from './pipelines/image-to-text.ts';
export { pipeline, type PipelineTask, type TaskPipelines } from './pipelines/pipeline.ts';
export type { PipelineOptions, TaskPipeline } from './pipelines/task-pipeline.ts';
export type {
  VisualAnswer,
  VisualQuestionAnsweringOutput,
  VisualQuestionAnsweringPipeline,
} from './pipelines/visual-question-answering.ts';
export type {
  ZeroShotImageClassificationOutput,
  ZeroShotImageClassificationPipeline,
  ZeroShotOptions,
} from './pipelines/zero-shot-image-classification.ts';
export { type PlannedFile, plannedFiles } from './planned-weights.ts';
export { captionPreset, shortAnswerPreset } from './presets.ts';
export {
  bareQuestion,
  chatPrompt,
  type ChatTemplate,
  instructChatPrompt,
  type PromptTemplate,
  questionPrompt,
  shortAnswerPrompt,
  type Turn,
} from './prompt-templates.ts';
export { type InitializeTensor, type RandomOptions, referenceInitializer } from './random-parts.ts';
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
export type { RetrievalTaskOptions, RetrievalTaskParts } from './retrieval/encode-inputs.ts';
export type { RankedCandidate, RetrieveOptions } from './retrieval/rank-candidates.ts';
export {
  RETRIEVAL_CONTENT,
  type RetrievalContent,
  type RetrievalPart,
  retrievalTensors,
} from './retrieval/retrieval-content.ts';
export type { Scores } from './retrieval/similarity.ts';
export type { SaveModelOptions } from './save-model.ts';
export type { Conversation } from './tasks/conversation.ts';
export type { EncodedBatch, EncodedImage, ImageBatch, KeptImage, TaskImage } from './tasks/encoded-image.ts';
export type { ImageTasks } from './tasks/image-tasks.ts';
export type { RankAnswersOptions, RankedAnswer } from './tasks/rank-answers.ts';
export type { ImageOptions, TaskProcessor } from './tasks/task-images.ts';
export type { TaskTools } from './tasks/task-images.ts';
export type { TextStream } from './tasks/text-stream.ts';
export { type TextGenerator, type TextInputs, withGenerate } from './text-generator.ts';
export type { TextResult, Timings } from './text-result.ts';
export { listNames, missingTensors, unexpectedTensors } from './whole-weights.ts';
