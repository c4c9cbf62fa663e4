import { OptConfig, readConfig, TextConfig, writePartConfig } from '@blip2/config';
import {
  createRandomPartWeights, openPartWeights, resolveSource, savePartWeights, transformerInitializer, type PartWeights, type RandomWeightsOptions, type ResolveOptions, type SaveOptions,
} from '@blip2/checkpoint';
import type { Attentions, Decoding, HiddenStates, LanguageModel, Logits, Prompt, Rows, Tensor, TokenEmbeddings, TokenIds } from '@blip2/interfaces';
import { layeredTensors, namedTensor } from '@blip2/onnx';
import { asRows, lazySessions, rowsTensor, type LazySessions, type PartOptions } from '@blip2/runtime';
import { startCausalDecoding, type CausalStep, type CausalStepOutput } from './causal-decoding.ts';
import { causalBias } from './causal-mask.ts';
import { causalLoss } from './cross-entropy.ts';
import { expectPrompt } from './expect-prompt.ts';
import { expectTokens, indexTensor, maskRows, promptEmbeddings, range, type PromptInputs } from './language-inputs.ts';
import { buildOptDecoder, buildOptEmbedding, optTensors, POSITION_OFFSET, type OptRequest } from './opt-graph.ts';

export interface CausalLMInputs extends PromptInputs {
  /** One id per position, −100 for "does not count"; position `i` is judged by label `i + 1`. */
  readonly labels?: Rows;
}

export interface CausalLMOptions {
  readonly outputHiddenStates?: boolean;
  readonly outputAttentions?: boolean;
}

export interface CausalLMOutput {
  /** `[batch, sequence, vocabulary]`. */
  readonly logits: Logits;
  /** Mean cross-entropy of the labels, `[1]`. */
  readonly loss?: Tensor<'float32', [1]>;
  /** After the final norm, `[batch, sequence, hidden]`. */
  readonly lastHiddenState: HiddenStates;
  /** Embeddings, then each layer's result; the last one after the final norm. */
  readonly hiddenStates?: readonly HiddenStates[];
  /** Probabilities of each layer, `[batch, heads, sequence, sequence]`. */
  readonly attentions?: readonly Attentions[];
}

/** OPT with its language-model head: the seam for decoding, and the full forward of the reference's `OPTForCausalLM`. */
export interface OptForCausalLM extends LanguageModel {
  readonly architecture: 'causal';
  readonly config: OptConfig;
  /**
   * Scores every position.
   * @throws Blip2Error `INVALID_ARGUMENT` without ids or embeddings; `SEQUENCE_TOO_LONG` beyond `maxPositions`; `SHAPE_MISMATCH`.
   */
  forward(inputs: CausalLMInputs, options?: CausalLMOptions): Promise<CausalLMOutput>;
  /** Writes configuration and weights of the language model alone in the hub layout. Streams. */
  savePretrained(folder: string, options?: SaveOptions): Promise<void>;
  dispose(): Promise<void>;
}

/** Puts an OPT model together from its configuration and weights. Nothing is loaded before it is used. */
export function createOptForCausalLM(config: OptConfig, weights: PartWeights, options: PartOptions = {}): OptForCausalLM {
  const sessions = lazySessions('language model', options);
  const embed = (ids: readonly TokenIds[]): Promise<TokenEmbeddings> => embedIds(sessions, config, weights, ids);
  const cacheSize = { layers: config.numHiddenLayers, heads: config.numAttentionHeads, headSize: config.hiddenSize / config.numAttentionHeads };
  const maxPositions = config.maxPositionEmbeddings;
  const stepper = { cacheSize, maxPositions, embed, step: (step: CausalStep) => decodeStep(sessions, config, weights, step) };
  const dispose = async (): Promise<void> => {
    await sessions[Symbol.asyncDispose]();
    await weights[Symbol.asyncDispose]();
  };
  return {
    config,
    architecture: 'causal',
    embeddingSize: config.wordEmbedProjDim,
    vocabularySize: config.vocabSize,
    maxPositions,
    specialTokens: TextConfig.specialTokens(config),
    embed,
    start: ({ inputsEmbeds, attentionMask }: Prompt): Promise<Decoding> => startCausalDecoding(stepper, inputsEmbeds, attentionMask),
    forward: (inputs, forwardOptions = {}) => forward(sessions, config, weights, embed, inputs, forwardOptions),
    async savePretrained(folder, saveOptions) {
      const dtype = await savePartWeights(folder, weights, saveOptions);
      await writePartConfig(folder, OptConfig.toJson(config), { modelType: config.modelType, architecture: ARCHITECTURE, dtype });
    },
    dispose,
    [Symbol.asyncDispose]: dispose,
  };
}

async function embedIds(sessions: LazySessions, config: OptConfig, { store, prefix }: PartWeights, ids: readonly TokenIds[]): Promise<TokenEmbeddings> {
  expectTokens(ids, config.vocabSize);
  const session = await sessions.get('embedding', () => buildOptEmbedding(config, store, prefix));
  const { inputs_embeds } = await session.run({ input_ids: rowsTensor(ids, 'inputIds') });
  return inputs_embeds;
}

const DECODING: OptRequest = { cache: true, lastHiddenState: false, hiddenStates: false, attentions: false };

async function decodeStep(sessions: LazySessions, config: OptConfig, { store, prefix }: PartWeights, step: CausalStep): Promise<CausalStepOutput> {
  const session = await sessions.get('decoding', () => buildOptDecoder(config, store, prefix, DECODING));
  const layers = config.numHiddenLayers;
  const past = Array.from({ length: layers }, (_, layer) => [[`past_key.${layer}`, step.cache.keys(layer)], [`past_value.${layer}`, step.cache.values(layer)]] as const);
  const outputs = await session.run({
    inputs_embeds: step.inputsEmbeds,
    position_ids: positionRows(step.attentionMask, step.inputsEmbeds.dims[1]),
    attention_bias: step.bias,
    logit_positions: indexTensor(step.logitPositions),
    ...Object.fromEntries(past.flat()),
  });
  return { logits: outputs.logits, newKeys: layeredTensors(outputs, 'new_key', layers, 3), newValues: layeredTensors(outputs, 'new_value', layers, 3) };
}

async function forward(
  sessions: LazySessions, config: OptConfig, { store, prefix }: PartWeights, embed: LanguageModel['embed'], inputs: CausalLMInputs, options: CausalLMOptions,
): Promise<CausalLMOutput> {
  const inputsEmbeds = await promptEmbeddings(inputs, embed);
  const sequence = inputsEmbeds.dims[1];
  const attentionMask = maskRows(inputs.attentionMask, inputsEmbeds);
  expectPrompt(attentionMask, inputsEmbeds.dims, config.maxPositionEmbeddings);
  const request: OptRequest = {
    cache: false, lastHiddenState: true, hiddenStates: options.outputHiddenStates ?? config.outputHiddenStates, attentions: options.outputAttentions ?? config.outputAttentions,
  };
  const session = await sessions.get(JSON.stringify(request), () => buildOptDecoder(config, store, prefix, request));
  const outputs = await session.run({
    inputs_embeds: inputsEmbeds,
    position_ids: positionRows(attentionMask, sequence),
    attention_bias: causalBias(attentionMask, 0, 0, sequence),
    logit_positions: indexTensor(range(sequence)),
  });
  return {
    logits: outputs.logits,
    lastHiddenState: namedTensor(outputs, 'last_hidden_state', 3),
    ...(inputs.labels && { loss: causalLoss(outputs.logits, asRows(inputs.labels)) }),
    ...(request.hiddenStates && { hiddenStates: layeredTensors(outputs, 'hidden_states', config.numHiddenLayers + 1, 3) }),
    ...(request.attentions && { attentions: layeredTensors(outputs, 'attentions', config.numHiddenLayers, 4) }),
  };
}

/** Rows of the position table for the last `count` positions: only what counts is counted (`OPTLearnedPositionalEmbedding`). */
function positionRows(mask: readonly TokenIds[], count: number): Tensor<'int64', [number, number]> {
  const rows = mask.map((row) => {
    let seen = 0;
    return row.map((counts) => (counts ? seen++ + POSITION_OFFSET : POSITION_OFFSET - 1)).slice(row.length - count);
  });
  return rowsTensor(rows, 'attentionMask');
}

/** Where the language model lies in a whole model's checkpoint. */
const PATH = 'language_model';
/** The reference's class for the language model alone. */
const ARCHITECTURE = 'OPTForCausalLM';

async function fromPretrained(source: string, options: PartOptions & ResolveOptions = {}): Promise<OptForCausalLM> {
  const folder = await resolveSource(source, options);
  const config = OptConfig.fromJson(await readConfig(folder), folder);
  return createOptForCausalLM(config, await openPartWeights(folder, PATH), options);
}

async function fromConfig(config: OptConfig, options: RandomWeightsOptions & PartOptions = {}): Promise<OptForCausalLM> {
  const { initializer = transformerInitializer(config.initStd) } = options;
  return createOptForCausalLM(config, await createRandomPartWeights(optTensors(config, ''), initializer, options), options);
}

export const OptForCausalLM: {
  /** Loads OPT from a folder in the Hugging Face layout, of a whole BLIP-2 model or of the language model alone. */
  readonly fromPretrained: typeof fromPretrained;
  /** An OPT model with random weights, in a temporary file that goes away with it. */
  readonly fromConfig: typeof fromConfig;
} = { fromPretrained, fromConfig };
