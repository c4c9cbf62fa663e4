export { Blip2ForConditionalGeneration, type ForwardInputs, type ForwardOptions, type ForwardOutput } from './blip2-for-conditional-generation.ts';
export type { LanguageModelOutput, PromptOutput, TargetInputs } from './forward-prompt.ts';
export {
  InstructBlipForConditionalGeneration, type InstructForwardInputs, type InstructForwardOutput,
} from './instruct/instructblip-for-conditional-generation.ts';
export { createInstructBlip, InstructBlip, type InstructBlipTaskParts } from './instruct/instructblip.ts';
export { loadImageTasks } from './load-image-tasks.ts';
export { createInstructBlipPipeline, type Instruction, type InstructBlipParts, type InstructBlipPipeline, type InstructPromptInputs } from './instruct/instructblip-pipeline.ts';
export type { ModelConfig } from './model-config.ts';
export { Blip2Model, type ImageInputs, type TextFeatures } from './blip2-model.ts';
export type { LoadOptions, PartWithPrecision } from './load-options.ts';
export { createPipeline, type Blip2Parts, type Blip2Pipeline, type EncodeImagesOptions, type PromptInputs, type PromptLayout, type PromptTasks, type VisualPrefix } from './pipeline.ts';
export { referenceInitializer, type InitializeTensor, type RandomOptions } from './random-parts.ts';
export { modelTensors } from './model-tensors.ts';
export { plannedFiles, type PlannedFile } from './planned-weights.ts';
export type { SaveModelOptions } from './save-model.ts';
export { withGenerate, type TextGenerator, type TextInputs } from './text-generator.ts';
export {
  Blip2, createBlip2, type AnswerOptions, type Blip2TaskParts, type CaptionOptions, type ChatOptions, type QuestionOptions, type RankOptions, type TaskOptions,
} from './blip2.ts';
export type { Conversation } from './tasks/conversation.ts';
export type { EncodedBatch, EncodedImage, KeptImage, ImageBatch, TaskImage } from './tasks/encoded-image.ts';
export type { ImageTasks } from './tasks/image-tasks.ts';
export type { RankAnswersOptions, RankedAnswer } from './tasks/rank-answers.ts';
export type { ImageOptions, TaskProcessor } from './tasks/task-images.ts';
export type { TextStream } from './tasks/text-stream.ts';
export { CAPTION_PRESET, shortAnswerPreset } from './presets.ts';
export type { TextResult, Timings } from './text-result.ts';
export { bareQuestion, chatPrompt, instructChatPrompt, questionPrompt, shortAnswerPrompt, type ChatTemplate, type PromptTemplate, type Turn } from './prompt-templates.ts';
export { openCheckpointParts, type CheckpointParts } from './checkpoint-parts.ts';
export type { WindowFill } from './heatmap/hidden-windows.ts';
export { occlusionMap, positiveShare, type OcclusionMap, type OcclusionMode, type OcclusionOptions } from './heatmap/occlusion-map.ts';
export { contrastScore, matchScore, writingScore, type ImageScore } from './heatmap/image-scores.ts';
export { overlayHeatmap, type OverlayOptions } from './heatmap/overlay-heatmap.ts';
export { queryAttention, type AttentionMap, type QueryAttentionOptions, type QueryAttentionParts } from './heatmap/query-attention.ts';
export type { ModelFolders, ModelSources } from './model-sources.ts';
export { listNames, missingTensors, unexpectedTensors } from './whole-weights.ts';
export {
  Blip2ForImageTextRetrieval, type RetrievalInputs, type RetrievalModelParts, type RetrievalOptions, type RetrievalOutput,
} from './retrieval/blip2-for-image-text-retrieval.ts';
export { Blip2TextModelWithProjection, type TextProjectionOptions, type TextProjectionOutput } from './retrieval/blip2-text-model-with-projection.ts';
export { Blip2VisionModelWithProjection, type VisionProjectionOutput } from './retrieval/blip2-vision-model-with-projection.ts';
export { Blip2Retrieval, createBlip2Retrieval, type MatchScore } from './retrieval/blip2-retrieval.ts';
export type { ClassifyOptions, LabelScore } from './retrieval/classify-images.ts';
export type { EmbedInputs, EmbedOptions, EmbedPart } from './retrieval/embed-inputs.ts';
export type { RetrievalTaskOptions, RetrievalTaskParts } from './retrieval/encode-inputs.ts';
export type { RankedCandidate, RetrieveOptions } from './retrieval/rank-candidates.ts';
export { RETRIEVAL_CONTENT, retrievalTensors, type RetrievalContent, type RetrievalPart } from './retrieval/retrieval-content.ts';
export { pipeline, type PipelineTask, type TaskPipelines } from './pipelines/pipeline.ts';
export type { EitherSpelling, Underscored } from './pipelines/either-spelling.ts';
export type { ImageFeatureExtractionPipeline, ImageFeatureOptions } from './pipelines/image-feature-extraction.ts';
export type { ImageToTextOutput, ImageToTextPipeline } from './pipelines/image-to-text.ts';
export type { PipelineOptions, TaskPipeline } from './pipelines/task-pipeline.ts';
export type { VisualAnswer, VisualQuestionAnsweringOutput, VisualQuestionAnsweringPipeline } from './pipelines/visual-question-answering.ts';
export type { ZeroShotImageClassificationOutput, ZeroShotImageClassificationPipeline, ZeroShotOptions } from './pipelines/zero-shot-image-classification.ts';
export type { MergedPrompt } from './merge-prompt.ts';
export type { CheckpointLanguageModel } from './part-loaders.ts';
export type { Scores } from './retrieval/similarity.ts';
export type { TaskTools } from './tasks/task-images.ts';
