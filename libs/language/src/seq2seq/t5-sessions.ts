import type { Seq2SeqConfig } from '@blip2/config';
import {
  type AttentionMask,
  type Attentions,
  expectFinite,
  type HiddenStates,
  type Logits,
  type Session,
  type Tensor,
  type TokenEmbeddings,
  type TokenIds,
} from '@blip2/interfaces';
import { layeredTensors, namedTensor } from '@blip2/onnx';
import { type PartWeights, sessionKey } from '@blip2/part';
import { type LazySessions, type PartOptions, rowsTensor } from '@blip2/runtime';

import { DECODING } from '../decoder-outputs.ts';
import { causalBias } from '../decoding/causal-bias.ts';
import { decodingName, decodingPhase, type StepSize, storeForStep, storesByRows } from '../decoding/decode-stores.ts';
import { type CrossTensor, type EncoderMemory, encoderMemory } from '../decoding/encoder-memory.ts';
import { paddingBias } from '../decoding/padding-bias.ts';
import { type LayeredKeyValues, pastFeeds, withNewRows } from '../decoding/past-key-values.ts';
import type { Seq2SeqStep, Seq2SeqStepOutput } from '../decoding/seq2seq-decoding.ts';
import { expectTokens, indexTensor, range } from '../language-inputs.ts';
import type { EmbeddingSignature } from '../token-embedding-graph.ts';
import { relativeBuckets } from './relative-buckets.ts';
import { buildT5Decoder, type T5DecoderRequest, type T5DecoderSignature } from './t5-decoder-graph.ts';
import {
  buildT5Cross,
  buildT5Embedding,
  buildT5Encoder,
  type T5CrossSignature,
  type T5EncoderSignature,
  type T5StackRequest,
} from './t5-encoder-graph.ts';

export interface EncoderOutput {
  /** After the final norm, `[batch, source, dModel]`. */
  readonly lastHiddenState: HiddenStates;
  readonly hiddenStates?: readonly HiddenStates[];
  readonly attentions?: readonly Attentions[];
}

export interface DecoderOutput {
  readonly logits: Logits;
  readonly lastHiddenState: HiddenStates;
  readonly hiddenStates?: readonly HiddenStates[];
  readonly attentions?: readonly Attentions[];
  readonly crossAttentions?: readonly Attentions[];
  /** Of past and new positions, if the request has `cache`. */
  readonly selfKeyValues?: LayeredKeyValues;
}

export interface DecoderRun {
  readonly inputsEmbeds: TokenEmbeddings;
  /** Over past and new positions. */
  readonly attentionMask: AttentionMask;
  readonly memory: EncoderMemory;
  /** Of the decoder's positions, if the request has `cache`. */
  readonly past: LayeredKeyValues;
}

export type DecoderRequest = Omit<T5DecoderRequest, 'lastHiddenState'>;

/** The sessions of one T5, each created on first use. */
export interface T5Sessions {
  /** Creates the sessions that one prompt and its tokens need. */
  prepare(): Promise<void>;
  embed(ids: readonly TokenIds[]): Promise<TokenEmbeddings>;
  encode(inputsEmbeds: TokenEmbeddings, attentionMask: AttentionMask, request: T5StackRequest): Promise<EncoderOutput>;
  /** Keys and values of the decoder's cross-attention. */
  crossKeysAndValues(encoderStates: HiddenStates, attentionMask: AttentionMask): Promise<EncoderMemory>;
  /** New positions against a cache. */
  step(step: Seq2SeqStep): Promise<Seq2SeqStepOutput>;
  /** All positions of a row at once, or those after a past. */
  decode(run: DecoderRun, request: DecoderRequest): Promise<DecoderOutput>;
}

/** The request of the encoder for decoding. */
export const FINAL_STATES: T5StackRequest = { hiddenStates: false, attentions: false };

export function createT5Sessions(
  config: Seq2SeqConfig,
  weights: PartWeights,
  sessions: LazySessions,
  options: Pick<PartOptions, 'rows' | 'threads'> = {},
): T5Sessions {
  const { store, prefix } = weights;
  const stores = storesByRows(weights, options);
  const {
    numDecoderLayers: layers,
    relativeAttentionNumBuckets: numBuckets,
    relativeAttentionMaxDistance: maxDistance,
  } = config;
  const embedding = (): Promise<Session<EmbeddingSignature>> =>
    sessions.get('embedding', () => buildT5Embedding(config, weights.original ?? store, prefix), 'lookup');
  const encoder = (request: T5StackRequest): Promise<Session<T5EncoderSignature>> =>
    sessions.get(sessionKey('encoder', { ...request }), () => buildT5Encoder(config, store, prefix, request), 'prompt');
  const cross = (): Promise<Session<T5CrossSignature>> =>
    sessions.get('cross', () => buildT5Cross(config, store, prefix), 'prompt');
  const decoder = (step: StepSize): Promise<Session<T5DecoderSignature>> => {
    const fitting = storeForStep(stores, step);
    return sessions.get(
      decodingName(stores, fitting),
      () => buildT5Decoder(config, fitting, prefix, DECODING),
      decodingPhase(stores, fitting),
    );
  };
  return {
    async prepare() {
      await embedding();
      await encoder(FINAL_STATES);
      await cross();
      await decoder({ rows: 1, sequence: 1, firstRows: 1 });
    },
    async embed(ids) {
      expectTokens(ids, config.vocabSize);
      const session = await embedding();
      const { inputs_embeds } = await session.run({ input_ids: rowsTensor(ids, 'inputIds') });
      return expectFinite('language model', inputs_embeds);
    },
    async encode(inputsEmbeds, attentionMask, request) {
      const session = await encoder(request);
      const positions = range(inputsEmbeds.dims[1]);
      const outputs = await session.run({
        inputs_embeds: inputsEmbeds,
        relative_buckets: relativeBuckets(positions, positions, { numBuckets, maxDistance, bidirectional: true }),
        attention_bias: paddingBias(attentionMask, 1),
      });
      return {
        lastHiddenState: outputs.last_hidden_state,
        ...(request.hiddenStates && {
          hiddenStates: layeredTensors(outputs, 'hidden_states', config.numLayers + 1, 3),
        }),
        ...(request.attentions && { attentions: layeredTensors(outputs, 'attentions', config.numLayers, 4) }),
      };
    },
    async crossKeysAndValues(encoderStates, attentionMask) {
      const session = await cross();
      const outputs = await session.run({ encoder_hidden_states: encoderStates });
      return encoderMemory({
        keys: layeredTensors(outputs, 'cross_key', layers, 4),
        values: layeredTensors(outputs, 'cross_value', layers, 4),
        attentionMask,
      });
    },
    async step({ inputsEmbeds, cache, memory, bias, logitPositions, firstRows }) {
      const [rows, sequence] = inputsEmbeds.dims;
      const session = await decoder({ rows, sequence, firstRows });
      const newPositions = range(sequence).map((index) => cache.length + index);
      const outputs = await session.run({
        inputs_embeds: inputsEmbeds,
        // Unused slots are masked: any bucket will do.
        relative_buckets: relativeBuckets(newPositions, [...range(cache.capacity), ...newPositions], {
          numBuckets,
          maxDistance,
          bidirectional: false,
        }),
        attention_bias: bias,
        logit_positions: indexTensor(logitPositions),
        ...memoryFeeds(memory, sequence),
        ...layeredFeeds(
          'past_key',
          range(layers).map((layer) => cache.keys(layer)),
        ),
        ...layeredFeeds(
          'past_value',
          range(layers).map((layer) => cache.values(layer)),
        ),
      });
      return {
        logits: outputs.logits,
        newKeys: layeredTensors(outputs, 'new_key', layers, 3),
        newValues: layeredTensors(outputs, 'new_value', layers, 3),
      };
    },
    async decode({ inputsEmbeds, attentionMask, memory, past }, { cache, hiddenStates, attentions }) {
      const request: T5DecoderRequest = { cache, lastHiddenState: true, hiddenStates, attentions };
      const session = await sessions.get(sessionKey('decoder', { ...request }), () =>
        buildT5Decoder(config, store, prefix, request),
      );
      const sequence = inputsEmbeds.dims[1];
      const pastLength = past.keys[0]?.dims[2] ?? 0;
      const positions = range(pastLength + sequence);
      const outputs = await session.run({
        inputs_embeds: inputsEmbeds,
        relative_buckets: relativeBuckets(positions.slice(pastLength), positions, {
          numBuckets,
          maxDistance,
          bidirectional: false,
        }),
        attention_bias: causalBias(attentionMask, pastLength, pastLength, sequence),
        logit_positions: indexTensor(range(sequence)),
        ...memoryFeeds(memory, sequence),
        ...(cache && pastFeeds(past)),
      });
      return {
        logits: outputs.logits,
        lastHiddenState: namedTensor(outputs, 'last_hidden_state', 3),
        ...(hiddenStates && { hiddenStates: layeredTensors(outputs, 'hidden_states', layers + 1, 3) }),
        ...(attentions && {
          attentions: layeredTensors(outputs, 'attentions', layers, 4),
          crossAttentions: layeredTensors(outputs, 'cross_attentions', layers, 4),
        }),
        ...(cache && {
          selfKeyValues: withNewRows(
            past,
            layeredTensors(outputs, 'new_key', layers, 3),
            layeredTensors(outputs, 'new_value', layers, 3),
          ),
        }),
      };
    },
  };
}

function memoryFeeds(
  { keys, values, attentionMask }: EncoderMemory,
  sequence: number,
): { readonly cross_bias: ReturnType<typeof paddingBias> } & Readonly<Record<string, Tensor<'float32'>>> {
  return {
    ...layeredFeeds('cross_key', keys),
    ...layeredFeeds('cross_value', values),
    cross_bias: paddingBias(attentionMask, sequence),
  };
}

function layeredFeeds(name: string, tensors: readonly CrossTensor[]): Record<string, CrossTensor> {
  return Object.fromEntries(tensors.map((tensor, layer) => [`${name}.${layer}`, tensor]));
}
