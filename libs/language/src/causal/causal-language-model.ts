import {
  type Decoding,
  expectFinite,
  expectInputs,
  type LanguageModel,
  type Prompt,
  type Session,
  type TokenEmbeddings,
  type TokenIds,
  type WeightStore,
} from '@blip2/interfaces';
import { layeredTensors, namedTensor } from '@blip2/onnx';
import { expectForwardOptions, sessionKey } from '@blip2/part';
import { asRows, type LazySessions, rowsTensor } from '@blip2/runtime';

import { DECODING } from '../decoder-outputs.ts';
import { causalBias } from '../decoding/causal-bias.ts';
import { type CausalStep, type CausalStepOutput, startCausalDecoding } from '../decoding/causal-decoding.ts';
import { decodingName, decodingPhase, storeForStep } from '../decoding/decode-stores.ts';
import { expectPrompt } from '../decoding/expect-prompt.ts';
import type { CacheSize } from '../decoding/key-value-cache.ts';
import {
  emptyPast,
  type KeyValue,
  keyValuesOf,
  type LayeredKeyValues,
  pastFeeds,
  pastPositions,
  withNewRows,
} from '../decoding/past-key-values.ts';
import {
  expectPromptInputs,
  expectTokens,
  FORWARD_OPTIONS,
  indexTensor,
  maskRows,
  promptEmbeddings,
  range,
} from '../language-inputs.ts';
import { causalLossAndGradient } from '../loss/causal-loss.ts';
import type { EmbeddingSignature } from '../token-embedding-graph.ts';
import type { CausalArchitecture } from './causal-architecture.ts';
import type { CausalLanguageModel, CausalLMInputs, CausalLMOptions, CausalLMOutput } from './causal-forward-types.ts';
import type { CausalRequest, CausalSignature, CausalSizes } from './causal-signature.ts';
import { causalLoss } from './cross-entropy.ts';
import { windowFeed } from './window.ts';

export function createCausalLanguageModel(
  architecture: CausalArchitecture,
  sessions: LazySessions,
): Omit<CausalLanguageModel, typeof Symbol.asyncDispose> {
  const { sizes, maxPositions, specialTokens } = architecture;
  const embed = async (ids: readonly TokenIds[]): Promise<TokenEmbeddings> => {
    expectTokens(ids, sizes.vocabSize);
    const session = await openEmbedding(architecture, sessions);
    const { inputs_embeds } = await session.run({ input_ids: rowsTensor(ids, 'inputIds') });
    return expectFinite('language model', inputs_embeds);
  };
  const stepper = {
    cacheSize: cacheSizeOf(sizes),
    maxPositions,
    isJoinable: architecture.isJoinable ?? true,
    embed,
    step: (step: CausalStep) => decodeStep(architecture, sessions, step),
  };
  return {
    architecture: 'causal',
    embeddingSize: sizes.embeddingSize,
    vocabularySize: sizes.vocabSize,
    maxPositions,
    specialTokens,
    embed,
    async start(prompt: Prompt): Promise<Decoding> {
      const { inputsEmbeds, attentionMask } = expectPromptInputs(prompt);
      return startCausalDecoding(stepper, inputsEmbeds, attentionMask);
    },
    prepare: () => prepareCausalLanguageModel(architecture, sessions),
    forward: (inputs, options = {}) => forward(architecture, sessions, embed, inputs, options),
    lossAndGradient: (prefix, targets, options = {}) =>
      causalLossAndGradient(architecture, sessions, embed, prefix, targets, options),
  };
}

/** Creates the sessions of decoding before their first use. */
export async function prepareCausalLanguageModel(
  architecture: CausalArchitecture,
  sessions: LazySessions,
): Promise<void> {
  const { prefill, decode } = architecture.stores;
  await openEmbedding(architecture, sessions);
  for (const store of new Set([prefill, decode])) await openDecoder(architecture, sessions, store);
}

function openEmbedding(architecture: CausalArchitecture, sessions: LazySessions): Promise<Session<EmbeddingSignature>> {
  return sessions.get('embedding', () => architecture.buildEmbedding(), 'lookup');
}

function cacheSizeOf({ layers, keyValueHeads: heads, headSize }: CausalSizes): CacheSize {
  return { layers, heads, headSize };
}

function openDecoder(
  architecture: CausalArchitecture,
  sessions: LazySessions,
  store: WeightStore,
): Promise<Session<CausalSignature>> {
  const { stores } = architecture;
  return sessions.get(
    decodingName(stores, store),
    () => architecture.buildDecoder(DECODING, store),
    decodingPhase(stores, store),
  );
}

async function decodeStep(
  architecture: CausalArchitecture,
  sessions: LazySessions,
  step: CausalStep,
): Promise<CausalStepOutput> {
  const {
    stores,
    sizes: { layers },
  } = architecture;
  const [rows, sequence] = step.inputsEmbeds.dims;
  const session = await openDecoder(
    architecture,
    sessions,
    storeForStep(stores, { rows, sequence, firstRows: step.firstRows }),
  );
  const past = range(layers).flatMap(
    (layer) =>
      [
        [`past_key.${layer}`, step.cache.keys(layer)],
        [`past_value.${layer}`, step.cache.values(layer)],
      ] as const,
  );
  const outputs = await session.run({
    inputs_embeds: step.inputsEmbeds,
    ...architecture.positionInputs(step.attentionMask, sequence, 'decoding'),
    attention_bias: step.bias,
    ...windowFeed(step.bias, { mask: step.attentionMask, use: 'decoding', window: architecture.window }),
    logit_positions: indexTensor(step.logitPositions),
    ...Object.fromEntries(past),
  });
  return {
    logits: outputs.logits,
    newKeys: layeredTensors(outputs, 'new_key', layers, 3),
    newValues: layeredTensors(outputs, 'new_value', layers, 3),
  };
}

const INPUTS: readonly string[] = ['inputIds', 'inputsEmbeds', 'attentionMask', 'labels', 'pastKeyValues'];

async function forward(
  architecture: CausalArchitecture,
  sessions: LazySessions,
  embed: LanguageModel['embed'],
  inputs: CausalLMInputs,
  options: CausalLMOptions,
): Promise<CausalLMOutput> {
  const {
    sizes,
    sizes: { layers },
    stores,
    maxPositions,
    outputDefaults,
  } = architecture;
  expectInputs('forward of the language model', inputs, INPUTS);
  const inputsEmbeds = await promptEmbeddings(inputs, embed);
  const [batch, sequence, width] = inputsEmbeds.dims;
  expectForwardOptions('forward of the language model', options, FORWARD_OPTIONS);
  const useCache = options.useCache ?? false;
  const past = readPast(sizes, batch, inputs.pastKeyValues);
  const pastLength = pastPositions(past, batch, cacheSizeOf(sizes));
  const attentionMask = maskRows(inputs.attentionMask, inputsEmbeds, pastLength);
  expectPrompt(attentionMask, [batch, pastLength + sequence, width], maxPositions);
  const hiddenStates = options.outputHiddenStates ?? outputDefaults.outputHiddenStates;
  const attentions = options.outputAttentions ?? outputDefaults.outputAttentions;
  const request: CausalRequest = {
    cache: useCache || inputs.pastKeyValues !== undefined,
    lastHiddenState: true,
    hiddenStates,
    attentions,
  };
  const session = await sessions.get(sessionKey('decoder', { ...request }), () =>
    architecture.buildDecoder(request, stores.prefill),
  );
  const bias = causalBias(attentionMask, pastLength, pastLength, sequence);
  const outputs = await session.run({
    inputs_embeds: inputsEmbeds,
    ...architecture.positionInputs(attentionMask, sequence, 'forward'),
    attention_bias: bias,
    ...windowFeed(bias, { mask: attentionMask, use: 'forward', window: architecture.window }),
    logit_positions: indexTensor(range(sequence)),
    ...(request.cache && pastFeeds(past)),
  });
  expectFinite('language model', outputs.logits);
  return {
    logits: outputs.logits,
    lastHiddenState: namedTensor(outputs, 'last_hidden_state', 3),
    ...(inputs.labels && { loss: causalLoss(outputs.logits, asRows(inputs.labels, 'labels')) }),
    ...(hiddenStates && { hiddenStates: layeredTensors(outputs, 'hidden_states', layers + 1, 3) }),
    ...(attentions && { attentions: layeredTensors(outputs, 'attentions', layers, 4) }),
    ...(useCache && {
      pastKeyValues: keyValuesOf(
        withNewRows(
          past,
          layeredTensors(outputs, 'new_key', layers, 3),
          layeredTensors(outputs, 'new_value', layers, 3),
        ),
      ),
    }),
  };
}

function readPast(sizes: CausalSizes, batch: number, past: readonly KeyValue[] | undefined): LayeredKeyValues {
  return past
    ? { keys: past.map(({ key }) => key), values: past.map(({ value }) => value) }
    : emptyPast(batch, cacheSizeOf(sizes));
}
