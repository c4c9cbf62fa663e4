import { openPartWeights, readTensor, resolveSource, type PartWeights, type ResolveOptions } from '@blip2/checkpoint';
import { Blip2QFormerConfig, readConfig } from '@blip2/config';
import { Blip2Error, type Attentions, type HiddenStates, type PatchFeatures, type QFormer, type QueryFeatures, type Rows, type Tensor } from '@blip2/interfaces';
import { layeredTensors } from '@blip2/onnx';
import { asRows, lazySessions, type LazySessions, type PartOptions } from '@blip2/runtime';
import { buildQFormer, crossAttentionLayers, type QFormerRequest } from './graph.ts';
import { maskBias } from './mask-bias.ts';

/** The learned queries of a checkpoint, `[1, queries, hidden]`. */
export type QueryTokens = Tensor<'float32', readonly [one: 1, queries: number, hidden: number]>;

export interface QFormerForwardInputs {
  /** `[batch, positions, hidden]`; default: the checkpoint's query tokens for every row. */
  readonly queryEmbeds?: QueryFeatures;
  /** How many of the positions are queries, which alone read the image; the rest are text. Default: all. */
  readonly queryLength?: number;
  /** `[batch, positions]`; default: every position counts. */
  readonly attentionMask?: Rows;
  /** `[batch, patches, encoderHidden]`; needed as soon as there are queries. */
  readonly encoderHiddenStates?: PatchFeatures;
  /** `[batch, patches]`; default: every patch counts. */
  readonly encoderAttentionMask?: Rows;
}

export interface QFormerForwardOptions {
  readonly outputHiddenStates?: boolean;
  readonly outputAttentions?: boolean;
}

export interface QFormerOutput {
  /** `[batch, positions, hidden]`. */
  readonly lastHiddenState: QueryFeatures;
  /** Position 0 of it, `[batch, hidden]`: the reference has no pooling layer. */
  readonly poolerOutput: Tensor<'float32', readonly [batch: number, hidden: number]>;
  /** The normed embeddings, then each layer's result. */
  readonly hiddenStates?: readonly HiddenStates[];
  /** Self-attention probabilities of each layer, `[batch, heads, positions, positions]`. */
  readonly attentions?: readonly Attentions[];
  /** Probabilities over the patches, of the layers that have cross-attention only, `[batch, heads, queries, patches]`. */
  readonly crossAttentions?: readonly Attentions[];
}

/** BLIP-2's Q-Former: the seam, and the full forward of the reference's `Blip2QFormerModel`. */
export interface Blip2QFormerModel extends QFormer {
  readonly config: Blip2QFormerConfig;
  readonly queryTokens: QueryTokens;
  /** @throws Blip2Error `INVALID_ARGUMENT` if queries have no image to read; `SHAPE_MISMATCH`. */
  forward(inputs: QFormerForwardInputs, options?: QFormerForwardOptions): Promise<QFormerOutput>;
  dispose(): Promise<void>;
}

/** Where the Q-Former and its queries lie in a whole model's checkpoint. */
const PATH = 'qformer';
const QUERY_TOKENS = 'query_tokens';

/** Puts a Q-Former together from its configuration, its queries and its weights. Nothing is loaded before it is used. */
export function createBlip2QFormerModel(config: Blip2QFormerConfig, queryTokens: QueryTokens, weights: PartWeights, options: PartOptions = {}): Blip2QFormerModel {
  expectSupported(config);
  const sessions = lazySessions('Q-Former', options);
  const run = (inputs: QFormerForwardInputs, hiddenStates: boolean, attentions: boolean): Promise<QFormerOutput> =>
    forward(sessions, config, weights, { ...inputs, queryEmbeds: inputs.queryEmbeds ?? repeatQueries(queryTokens, inputs.encoderHiddenStates) }, { hiddenStates, attentions });
  const dispose = async (): Promise<void> => {
    await sessions[Symbol.asyncDispose]();
    await weights[Symbol.asyncDispose]();
  };
  return {
    config,
    queryTokens,
    conditioning: 'none',
    numQueryTokens: queryTokens.dims[1],
    hiddenSize: config.hiddenSize,
    encoderHiddenSize: config.encoderHiddenSize,
    async query(patches) {
      return (await run({ encoderHiddenStates: patches }, false, false)).lastHiddenState;
    },
    forward: (inputs, { outputHiddenStates, outputAttentions } = {}) =>
      run(inputs, outputHiddenStates ?? config.outputHiddenStates, outputAttentions ?? config.outputAttentions),
    dispose,
    [Symbol.asyncDispose]: dispose,
  };
}

type GivenInputs = QFormerForwardInputs & { readonly queryEmbeds: QueryFeatures };

async function forward(
  sessions: LazySessions, config: Blip2QFormerConfig, { store, prefix }: PartWeights, inputs: GivenInputs, asked: Pick<QFormerRequest, 'hiddenStates' | 'attentions'>,
): Promise<QFormerOutput> {
  const { queryEmbeds, queryLength = queryEmbeds.dims[1], encoderHiddenStates } = inputs;
  expectQueries(queryLength, queryEmbeds, encoderHiddenStates);
  const request: QFormerRequest = {
    ...asked,
    queryLength: queryLength === queryEmbeds.dims[1] ? 'all' : queryLength,
    masked: inputs.attentionMask !== undefined,
    encoderMasked: inputs.encoderAttentionMask !== undefined,
  };
  const session = await sessions.get(JSON.stringify(request), () => buildQFormer(config, store, prefix, request));
  const outputs = await session.run({
    query_embeds: queryEmbeds,
    ...(encoderHiddenStates && { encoder_hidden_states: encoderHiddenStates }),
    ...(inputs.attentionMask && { attention_bias: maskBias(asRows(inputs.attentionMask)) }),
    ...(inputs.encoderAttentionMask && { encoder_attention_bias: maskBias(asRows(inputs.encoderAttentionMask)) }),
  });
  const crossLayers = queryLength > 0 ? crossAttentionLayers(config).length : 0;
  return {
    lastHiddenState: outputs.last_hidden_state,
    poolerOutput: outputs.pooler_output,
    ...(request.hiddenStates && { hiddenStates: layeredTensors(outputs, 'hidden_states', config.numHiddenLayers + 1, 3) }),
    ...(request.attentions && {
      attentions: layeredTensors(outputs, 'attentions', config.numHiddenLayers, 4),
      crossAttentions: layeredTensors(outputs, 'cross_attentions', crossLayers, 4),
    }),
  };
}

function expectQueries(queryLength: number, { dims: [, positions] }: QueryFeatures, patches: PatchFeatures | undefined): void {
  if (!Number.isInteger(queryLength) || queryLength < 0 || queryLength > positions) {
    throw new Blip2Error('INVALID_ARGUMENT', 'There are not that many positions', { where: 'queryLength', expected: `0 to ${positions}`, got: String(queryLength) });
  }
  if (queryLength > 0 && !patches) throw new Blip2Error('INVALID_ARGUMENT', 'Queries need an image to read', { where: 'encoderHiddenStates', expected: '[batch, patches, hidden]', got: 'nothing' });
}

/** The same queries for every picture: `[1, queries, hidden] → [batch, queries, hidden]`. */
function repeatQueries({ dims: [, queries, hidden], data }: QueryTokens, patches: PatchFeatures | undefined): QueryFeatures {
  const batch = patches?.dims[0] ?? 1;
  const repeated = new Float32Array(batch * data.length);
  for (let row = 0; row < batch; row++) repeated.set(data, row * data.length);
  return { type: 'float32', dims: [batch, queries, hidden], data: repeated };
}

function expectSupported({ positionEmbeddingType }: Blip2QFormerConfig): void {
  if (positionEmbeddingType === 'absolute') return;
  throw new Blip2Error('UNSUPPORTED_ARCHITECTURE', 'The Q-Former has relative positions', { where: 'position_embedding_type', expected: 'absolute', got: positionEmbeddingType });
}

async function fromPretrained(source: string, options: PartOptions & ResolveOptions = {}): Promise<Blip2QFormerModel> {
  const folder = await resolveSource(source, options);
  const config = Blip2QFormerConfig.fromJson(await readConfig(folder), folder);
  const weights = await openPartWeights(folder, PATH);
  return createBlip2QFormerModel(config, await readQueryTokens(weights, config), weights, options);
}

async function readQueryTokens({ store }: PartWeights, { hiddenSize }: Blip2QFormerConfig): Promise<QueryTokens> {
  const stored = store.tensors.get(QUERY_TOKENS);
  if (!stored) throw new Blip2Error('MISSING_WEIGHT', 'The checkpoint has no query tokens', { where: store.folder, expected: `${QUERY_TOKENS} [1, queries, ${hiddenSize}]` });
  const { dims, data } = await readTensor(stored);
  const [one, queries, hidden] = dims;
  if (dims.length !== 3 || one !== 1 || queries === undefined || hidden !== hiddenSize || data.length === 0) {
    throw new Blip2Error('SHAPE_MISMATCH', 'The query tokens have the wrong shape', { where: store.folder, expected: `[1, queries, ${hiddenSize}]`, got: `[${dims.join(', ')}]` });
  }
  return { type: 'float32', dims: [1, queries, hidden], data };
}

export const Blip2QFormerModel: {
  /** Loads the Q-Former and its queries from a folder in the Hugging Face layout of a whole BLIP-2 model. */
  readonly fromPretrained: typeof fromPretrained;
} = { fromPretrained };
