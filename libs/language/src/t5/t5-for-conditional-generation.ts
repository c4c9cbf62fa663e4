import { T5Config, TextConfig } from '@blip2/config';
import type { Decoding, Prompt } from '@blip2/interfaces';
import type { SensitiveLayers } from '@blip2/onnx';
import { definePart, type Part, type PartContext, type PartWeights, type StandalonePart } from '@blip2/part';
import type { PartOptions } from '@blip2/runtime';

import { DECODING } from '../decoder-outputs.ts';
import { expectPrompt } from '../decoding/expect-prompt.ts';
import { startSeq2SeqDecoding } from '../decoding/seq2seq-decoding.ts';
import type { LanguageFamily } from '../language-family.ts';
import { expectPromptInputs } from '../language-inputs.ts';
import { LANGUAGE_MODEL_PATH } from '../language-model-path.ts';
import { sensitiveHead } from '../sensitive-head.ts';
import type { Seq2SeqLanguageModel } from './seq2seq-language-model.ts';
import { buildT5Decoder } from './t5-decoder-graph.ts';
import { buildT5Cross, buildT5Encoder } from './t5-encoder-graph.ts';
import { cacheSizeOf, forwardT5, startToken } from './t5-forward.ts';
import { createT5Sessions, FINAL_STATES, type T5Sessions } from './t5-sessions.ts';
import { t5Initializer, t5Tensors } from './t5-tensors.ts';
import { requireSharedEmbedding, TOKEN_EMBEDDINGS } from './t5-token-embeddings.ts';

/**
 * T5 with its language-model head, v1.0, v1.1 or Flan: the seam for decoding, and the full forward of HF
 * `T5ForConditionalGeneration`. Relative positions count padding: rows padded on the right equal the unpadded rows, but
 * padding between image tokens and text increases the distance between them.
 */
export interface T5ForConditionalGeneration extends Seq2SeqLanguageModel, StandalonePart<T5Config> {
  prepare(): Promise<void>;
}

const SENSITIVE: readonly SensitiveLayers[] = [
  sensitiveHead('(?:shared|embed_tokens)'),
  {
    weights: /\.DenseReluDense\.wo\.weight$/,
    instead: { int8: 'q8' },
    reason:
      'The input of this layer has a few very large features, for which HF keeps it in float32 as well. ' +
      'Blocks confine them; one scale per row does not (1.9 % of the logits, 1.1 % without it)',
  },
];

export const T5ForConditionalGeneration: Part<T5Config, T5ForConditionalGeneration> = definePart({
  label: 'language model',
  // `removeInvalidValues` replaces invalid logits.
  hasUncheckedOutputs: true,
  path: LANGUAGE_MODEL_PATH,
  architectures: { t5: 'T5ForConditionalGeneration' },
  config: T5Config,
  tensors: t5Tensors,
  tied: { embeddings: TOKEN_EMBEDDINGS, isShared: true },
  initializer: t5Initializer,
  plan: {
    graphs(config, weights, prefix) {
      buildT5Encoder(config, weights, prefix, FINAL_STATES);
      buildT5Cross(config, weights, prefix);
      buildT5Decoder(config, weights, prefix, DECODING);
    },
    decodeGraphs: (config, weights, prefix) => void buildT5Decoder(config, weights, prefix, DECODING),
    sensitive: SENSITIVE,
  },
  async extend(weights) {
    await requireSharedEmbedding(weights);
    return weights;
  },
  create: t5Members,
  prepare: ({ config, weights, sessions }) => createT5Sessions(config, weights, sessions).prepare(),
});

function t5Members({
  config,
  weights,
  sessions: lazySessions,
}: PartContext<T5Config, PartWeights, object>): Omit<T5ForConditionalGeneration, keyof StandalonePart<T5Config>> {
  const sessions = createT5Sessions(config, weights, lazySessions);
  return {
    architecture: 'seq2seq',
    embeddingSize: config.dModel,
    vocabularySize: config.vocabSize,
    // Relative positions are not limited.
    maxPositions: Infinity,
    specialTokens: TextConfig.specialTokens(config),
    embed: sessions.embed,
    start: (prompt) => start(config, sessions, prompt),
    forward: (inputs, options = {}) => forwardT5(config, sessions, inputs, options),
  };
}

async function start(config: T5Config, sessions: T5Sessions, prompt: Prompt): Promise<Decoding> {
  const { inputsEmbeds, attentionMask, decoderInputIds } = expectPromptInputs(prompt);
  expectPrompt(attentionMask, inputsEmbeds.dims, Infinity);
  const first = decoderInputIds ?? attentionMask.map(() => [startToken(config)]);
  const { lastHiddenState } = await sessions.encode(inputsEmbeds, attentionMask, FINAL_STATES);
  const memory = await sessions.crossKeysAndValues(lastHiddenState, attentionMask);
  const { embed, step } = sessions;
  return startSeq2SeqDecoding({ cacheSize: cacheSizeOf(config), maxPositions: Infinity, embed, step }, memory, first);
}

export const t5Family: LanguageFamily<T5Config> = {
  part: T5ForConditionalGeneration,
  tokenEmbeddings: TOKEN_EMBEDDINGS,
  embeddingReplacesHead: true,
  hasSharedEmbeddings: true,
};

/** Creates a T5 from its configuration and weights. Nothing is loaded before its first use. */
export function createT5ForConditionalGeneration(
  config: T5Config,
  weights: PartWeights,
  options?: PartOptions,
): T5ForConditionalGeneration {
  return T5ForConditionalGeneration.create(config, weights, options);
}
