import { type Decoding, type LanguageModel, mustBe } from '@blip2/interfaces';

import { BatchedDecoding } from './batched-decoding.ts';
import { type BatchStatus, createStepScheduler } from './step-scheduler.ts';

/** Limits of the batch that the decodings of a model share. */
export interface BatchOptions {
  /** Most rows that are decoded together. Further ones wait until others leave. Default: 16. */
  readonly maxRows?: number;
}

/** A language model whose decodings share their steps. */
export interface BatchedLanguageModel extends LanguageModel {
  /** What is decoded and what waits, now. */
  readonly status: BatchStatus;
}

const DEFAULT_MAX_ROWS = 16;

/**
 * Wraps a language model so that decodings in progress share their steps (continuous batching). Each is used as if it
 * were alone: when several are extended by one token at the same time, the model runs once for all of them. A decoding
 * joins at its first such step and leaves when it is not extended again or is disposed of. Whatever else a decoding does
 * (prompts, several tokens at once, crops) runs by itself, at most one of it between two steps. Nothing waits for a
 * time: work starts as soon as there is some. A single decoding runs as it would without this.
 *
 * Models whose decodings have no `append` run one decoding at a time.
 * @throws Blip2Error `INVALID_ARGUMENT` for an invalid `maxRows`.
 */
export function batchDecodings(
  language: LanguageModel,
  { maxRows = DEFAULT_MAX_ROWS }: BatchOptions = {},
): BatchedLanguageModel {
  if (!Number.isInteger(maxRows) || maxRows < 1) throw mustBe('maxRows', 'an integer of at least 1', maxRows);
  const scheduler = createStepScheduler(language, maxRows);
  const { lossAndGradient, prepare } = language;
  return {
    architecture: language.architecture,
    embeddingSize: language.embeddingSize,
    vocabularySize: language.vocabularySize,
    maxPositions: language.maxPositions,
    specialTokens: language.specialTokens,
    status: scheduler.status,
    embed: (ids) => language.embed(ids),
    start: (prompt): Promise<Decoding> =>
      scheduler.alone(async () => BatchedDecoding.of(await language.start(prompt), scheduler)),
    ...(lossAndGradient && { lossAndGradient: lossAndGradient.bind(language) }),
    ...(prepare && { prepare: prepare.bind(language) }),
    [Symbol.asyncDispose]: () => language[Symbol.asyncDispose](),
  };
}
