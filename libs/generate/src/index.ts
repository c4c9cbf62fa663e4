export { batchDecodings, type BatchedLanguageModel, type BatchOptions } from './batching/batch-decodings.ts';
export { runAhead } from './batching/run-ahead.ts';
export type { BatchStatus } from './batching/step-scheduler.ts';
export { generate, generateSteps } from './generate.ts';
export type { FinishReason, GenerateOutput, GenerationStep, NewToken, StepScores } from './generate-output.ts';
export type { Generation } from './generation.ts';
export type { Continuation, GenerationPrompt } from './generation-prompt.ts';
export { validateGenerationOptions } from './options/validate-generation-options.ts';
export {
  createLogitsProcessors,
  type NamedLogitsProcessor,
  type ProcessorContext,
} from './processors/create-logits-processors.ts';
export { epsilonCutoff, etaCutoff } from './processors/cutoffs.ts';
export { forcedBosToken, forcedEosToken } from './processors/forced-tokens.ts';
export { exponentialDecayLengthPenalty, minLength, minNewTokens } from './processors/length-limits.ts';
export { minP } from './processors/min-p.ts';
export { noRepeatNgram } from './processors/no-repeat-ngram.ts';
export { removeInvalidValues } from './processors/remove-invalid-values.ts';
export { renormalizeLogits } from './processors/renormalize-logits.ts';
export { repetitionPenalty } from './processors/repetition-penalty.ts';
export { badWords, sequenceBias } from './processors/sequence-bias.ts';
export { beginSuppressTokens, suppressTokens } from './processors/suppress-tokens.ts';
export { temperature } from './processors/temperature.ts';
export { topK } from './processors/top-k.ts';
export { topP } from './processors/top-p.ts';
export { typicalP } from './processors/typical-p.ts';
export { argmax } from './samplers/argmax.ts';
export { multinomial } from './samplers/multinomial.ts';
export { createRandom, type Random, randomSeed } from './samplers/random.ts';
export type { GenerationContext } from './search-settings.ts';
export { type SequenceLogProbs, sequenceLogProbs, type SequenceLogProbsOptions } from './sequence-log-probs.ts';
export { stopStrings } from './stopping/stop-strings.ts';
export { createIncrementalDecoder, type IncrementalDecoder } from './text/incremental-decoder.ts';
export { createTextStreamer } from './text/text-streamer.ts';
