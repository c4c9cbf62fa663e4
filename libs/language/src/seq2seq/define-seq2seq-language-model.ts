import { type ConfigFormat, type Seq2SeqConfig, TextConfig } from '@blip2/config';
import type { Decoding, Prompt } from '@blip2/interfaces';
import type { SensitiveLayers } from '@blip2/onnx';
import { definePart, type Part, type PartContext, type PartWeights, type StandalonePart } from '@blip2/part';

import { DECODING } from '../decoder-outputs.ts';
import { expectPrompt } from '../decoding/expect-prompt.ts';
import { startSeq2SeqDecoding } from '../decoding/seq2seq-decoding.ts';
import { exportT5 } from '../exported/t5-graphs.ts';
import { expectPromptInputs } from '../language-inputs.ts';
import { LANGUAGE_MODEL_PATH } from '../language-model-path.ts';
import { sensitiveHead } from '../sensitive-head.ts';
import type { Seq2SeqLanguageModel } from './seq2seq-language-model.ts';
import { buildT5Decoder } from './t5-decoder-graph.ts';
import { buildT5Cross, buildT5Encoder } from './t5-encoder-graph.ts';
import { cacheSizeOf, forwardT5, startToken } from './t5-forward.ts';
import { t5LossAndGradient } from './t5-loss.ts';
import { createT5Sessions, FINAL_STATES, type T5Sessions } from './t5-sessions.ts';
import { t5Initializer, t5Tensors } from './t5-tensors.ts';
import { requireSharedEmbedding, TOKEN_EMBEDDINGS } from './t5-token-embeddings.ts';

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

/** What a family of encoder-decoder models with relative position biases declares. */
export interface Seq2SeqDefinition<C extends Seq2SeqConfig> {
  /** HF class by `model_type`. */
  readonly architectures: Readonly<Record<C['modelType'], string>>;
  readonly config: ConfigFormat<C>;
}

/** A model of such a family. */
export interface Seq2SeqPart<C extends Seq2SeqConfig> extends Seq2SeqLanguageModel, StandalonePart<C> {
  prepare(): Promise<void>;
}

/** Defines an encoder-decoder model with relative position biases: T5 and its variants. */
export function defineSeq2SeqLanguageModel<C extends Seq2SeqConfig>({
  architectures,
  config,
}: Seq2SeqDefinition<C>): Part<C, Seq2SeqPart<C>> {
  return definePart({
    label: 'language model',
    // `removeInvalidValues` replaces invalid logits.
    hasUncheckedOutputs: true,
    path: LANGUAGE_MODEL_PATH,
    architectures,
    config,
    tensors: (config: C, prefix) => t5Tensors(config, prefix),
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
    exportGraphs: ({ config: own, weights }) => exportT5(own, weights),
    create: members,
    prepare: ({ config, weights, sessions, options }) => createT5Sessions(config, weights, sessions, options).prepare(),
  });
}

function members<C extends Seq2SeqConfig>({
  config,
  weights,
  sessions: lazySessions,
  options,
}: PartContext<C, PartWeights, object>): Omit<Seq2SeqPart<C>, keyof StandalonePart<C>> {
  const sessions = createT5Sessions(config, weights, lazySessions, options);
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
    lossAndGradient: (prefix, targets, options = {}) =>
      t5LossAndGradient(config, weights, lazySessions, sessions.embed, prefix, targets, options),
  };
}

async function start(config: Seq2SeqConfig, sessions: T5Sessions, prompt: Prompt): Promise<Decoding> {
  const { inputsEmbeds, attentionMask, decoderInputIds } = expectPromptInputs(prompt);
  expectPrompt(attentionMask, inputsEmbeds.dims, Infinity);
  const first = decoderInputIds ?? attentionMask.map(() => [startToken(config)]);
  const { lastHiddenState } = await sessions.encode(inputsEmbeds, attentionMask, FINAL_STATES);
  const memory = await sessions.crossKeysAndValues(lastHiddenState, attentionMask);
  const { embed, step } = sessions;
  return startSeq2SeqDecoding({ cacheSize: cacheSizeOf(config), maxPositions: Infinity, embed, step }, memory, first);
}
