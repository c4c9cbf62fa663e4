import type { SaveOptions } from '@blip2/checkpoint';
import { Blip2QFormerConfig } from '@blip2/config';
import {
  type AttentionMask,
  Blip2Error,
  concatPositions,
  defined,
  expectInputs,
  expectKnownOptions,
  expectTensor,
  onesMask,
  type PatchFeatures,
  type QueryFeatures,
  repeatRow,
  type Rows,
  type TextConditionedQFormer as TextConditionedQFormerPart,
  type TokenIds,
} from '@blip2/interfaces';
import {
  definePartOfModel,
  type DisposablePart,
  type LoadPartOptions,
  type PartContext,
  type PartOfModel,
  type PartWeights,
  partWeights,
} from '@blip2/part';
import { asRows, type PartOptions } from '@blip2/runtime';

import { exportTextQFormer } from './export-text-qformer.ts';
import { firstPositions } from './first-positions.ts';
import { buildWholeQFormer } from './graph/qformer-graph.ts';
import {
  type QFormerForwardInputs,
  type QFormerForwardOptions,
  type QFormerOutput,
  type RequestedOutputs,
  requestedOutputs,
  runQFormer,
} from './qformer-forward.ts';
import { type QFormerLayout, qformerLayout } from './qformer-layout.ts';
import { expectQueryTokens, type QueryTokens, readQueryTokens, type TextQFormerWeights } from './query-tokens.ts';
import { saveTextQFormer } from './save-text-qformer.ts';
import { embedText } from './text-embeddings.ts';

export interface QFormerTextInputs {
  /** `[batch, sequence]`. */
  readonly inputIds: Rows;
  /** `[batch, sequence]`. Default: no padding. */
  readonly attentionMask?: Rows;
  /** `[batch, sequence]`. Default: from 0, also after queries. */
  readonly positionIds?: Rows;
}

export interface QFormerReadInputs extends QFormerTextInputs {
  /** `[batch, patches, encoderHidden]`: attended to by the queries, which come before the text. Default: text only. */
  readonly encoderHiddenStates?: PatchFeatures;
}

/**
 * A Q-Former whose queries and text attend to each other (arXiv 2301.12597, section 3.1): the seam, and the forward of
 * its three modes: queries only, text only, and both.
 */
export interface TextConditionedQFormer extends TextConditionedQFormerPart, DisposablePart {
  readonly config: Blip2QFormerConfig;
  readonly queryTokens: QueryTokens;
  /**
   * Sums of token and position embeddings, before the first norm, `[batch, sequence, hidden]`; with `queryTokens` after
   * the queries: `[batch, queries + sequence, hidden]`.
   */
  embed(
    inputs: Omit<QFormerTextInputs, 'attentionMask'>,
    options?: { readonly queryTokens?: boolean },
  ): Promise<QueryFeatures>;
  /**
   * Text only, or queries over an image together with text: hidden states of all positions, queries first. The mask
   * covers the text; queries are never masked.
   */
  read(inputs: QFormerReadInputs, options?: QFormerForwardOptions): Promise<QFormerOutput>;
  /** Queries only, or arbitrary embeddings: as `Blip2QFormerModel`. */
  forward(inputs: QFormerForwardInputs, options?: QFormerForwardOptions): Promise<QFormerOutput>;
  /** Writes the weights, without a configuration, under their names in the checkpoint of a full model. */
  savePretrained(folder: string, options?: SaveOptions): Promise<void>;
}

export interface LayoutOptions {
  /** Default: that of the model family in the configuration. */
  readonly layout?: QFormerLayout;
}

export interface TextQFormerOptions extends LoadPartOptions, LayoutOptions {}

/** Loads a Q-Former with text input from the checkpoint of a retrieval model or of InstructBLIP. */
export const TextConditionedQFormer: PartOfModel<
  Blip2QFormerConfig,
  TextConditionedQFormer,
  TextQFormerWeights,
  LayoutOptions
> = definePartOfModel({
  label: 'Q-Former',
  path: (config, options: LayoutOptions) => layoutOf(config, options).qformer,
  ownOptions: ['layout'],
  config: Blip2QFormerConfig,
  siblings: ['query_tokens', 'embeddings'],
  fixed: /(?:^|\.)embeddings\./,
  plan: {
    graphs: (config, weights, prefix, options: LayoutOptions) =>
      buildWholeQFormer(config, weights, prefix, { norm: layoutOf(config, options).norm, text: true }),
  },
  async extend(weights, config, options: LayoutOptions): Promise<TextQFormerWeights> {
    const { embeddings, norm } = layoutOf(config, options);
    const queryTokens = await readQueryTokens(weights, config);
    // A Q-Former that was saved alone has its embeddings below its root.
    const path = weights.prefix === '' ? embeddings.slice(embeddings.lastIndexOf('.') + 1) : embeddings;
    return { ...weights, queryTokens, embeddings: partWeights(weights.store, path), norm };
  },
  exportGraphs: ({ config, weights }) => exportTextQFormer(config, weights),
  create: textQFormerMembers,
});

function layoutOf(config: Blip2QFormerConfig, { layout = qformerLayout(config) }: LayoutOptions): QFormerLayout {
  return layout;
}

const TEXT_INPUTS: readonly string[] = ['inputIds', 'positionIds'];

function textQFormerMembers(
  context: PartContext<Blip2QFormerConfig, TextQFormerWeights, LayoutOptions>,
): Omit<TextConditionedQFormer, keyof DisposablePart> {
  const {
    config,
    sessions,
    weights: { queryTokens, embeddings, norm },
  } = context;
  const numQueryTokens = queryTokens.dims[1];
  const run = (inputs: QFormerForwardInputs, outputs: RequestedOutputs): Promise<QFormerOutput> =>
    runQFormer(context, inputs, { ...outputs, norm });
  const embed = (ids: readonly TokenIds[], positionIds: Rows | undefined): Promise<QueryFeatures> =>
    embedText(sessions, config, embeddings, ids, positionIds && asRows(positionIds, 'positionIds'));
  const withQueries = (text: QueryFeatures): QueryFeatures =>
    concatPositions<QueryFeatures>(repeatRow<QueryFeatures>(queryTokens, text.dims[0]), text);

  const read = async (inputs: QFormerReadInputs, outputs: RequestedOutputs): Promise<QFormerOutput> => {
    expectInputs('read of the Q-Former', inputs, [...TEXT_INPUTS, 'attentionMask', 'encoderHiddenStates']);
    const { inputIds, attentionMask, positionIds, encoderHiddenStates } = inputs;
    const ids = asRows(inputIds);
    const mask = attentionMask && expectMask(asRows(attentionMask, 'attentionMask'), ids);
    const text = await embed(ids, positionIds);
    if (!encoderHiddenStates)
      return run({ queryEmbeds: text, queryLength: 0, ...defined({ attentionMask: mask }) }, outputs);
    expectQueryTokens(queryTokens);
    expectTensor('encoderHiddenStates', encoderHiddenStates, ['batch', 'patches', 'encoderHidden']);
    expectPairs(encoderHiddenStates, ids);
    const masked = mask && { attentionMask: maskWithQueries(mask, numQueryTokens) };
    return run(
      { queryEmbeds: withQueries(text), queryLength: numQueryTokens, encoderHiddenStates, ...masked },
      outputs,
    );
  };

  return {
    config,
    queryTokens,
    conditioning: 'text',
    numQueryTokens,
    hiddenSize: config.hiddenSize,
    encoderHiddenSize: config.encoderHiddenSize,
    async query(patches, text) {
      const outputs = { hiddenStates: false, attentions: false };
      const { lastHiddenState } = await read({ ...text, encoderHiddenStates: patches }, outputs);
      return firstPositions(lastHiddenState, numQueryTokens);
    },
    async embed(inputs, options = {}) {
      expectInputs('embed of the Q-Former', inputs, TEXT_INPUTS);
      const { inputIds, positionIds } = inputs;
      expectKnownOptions('embed of the Q-Former', options, ['queryTokens']);
      const text = await embed(asRows(inputIds), positionIds);
      return options.queryTokens ? withQueries(text) : text;
    },
    read: async (inputs, options) => read(inputs, requestedOutputs(config, options)),
    forward: async (inputs, options) => run(inputs, requestedOutputs(config, options)),
    savePretrained: (folder, options) =>
      saveTextQFormer(folder, context.weights, layoutOf(config, context.options), options),
  };
}

/** What a text-conditioned Q-Former is created from. */
export interface TextConditionedQFormerParts {
  readonly config: Blip2QFormerConfig;
  readonly queryTokens: QueryTokens;
  /** Weights of the layers. */
  readonly weights: PartWeights;
  /** Weights of the token and position embeddings. */
  readonly embeddingWeights: PartWeights;
  /** Path of the first norm below that of `weights`. Default: that of BLIP-2's retrieval checkpoints. */
  readonly norm?: string;
}

/** Creates a Q-Former with text input from open weights. Nothing is loaded before its first use. */
export function createTextConditionedQFormer(
  { config, queryTokens, weights, embeddingWeights, norm = 'layernorm' }: TextConditionedQFormerParts,
  options?: PartOptions,
): TextConditionedQFormer {
  const all: TextQFormerWeights = {
    ...weights,
    queryTokens,
    embeddings: embeddingWeights,
    norm,
    async [Symbol.asyncDispose]() {
      await weights[Symbol.asyncDispose]();
      await embeddingWeights[Symbol.asyncDispose]();
    },
  };
  return TextConditionedQFormer.create(config, all, options);
}

function expectPairs({ dims: [images] }: PatchFeatures, ids: readonly TokenIds[]): void {
  if (ids.length !== images)
    throw new Blip2Error('SHAPE_MISMATCH', 'inputIds must have one row per image', {
      argument: 'inputIds',
      expected: String(images),
      got: String(ids.length),
    });
}

function expectMask(mask: AttentionMask, ids: readonly TokenIds[]): AttentionMask {
  if (mask.length === ids.length && mask.every((row, index) => row.length === ids[index]?.length)) return mask;
  throw new Blip2Error('SHAPE_MISMATCH', 'attentionMask must have the shape of inputIds', {
    argument: 'attentionMask',
    expected: `[${ids.length}, ${ids[0]?.length ?? 0}]`,
    got: `[${mask.length}, ${mask[0]?.length ?? 0}]`,
  });
}

/** A mask over queries and text. Queries are never masked. */
function maskWithQueries(mask: AttentionMask, queries: number): AttentionMask {
  const [ofQueries = []] = onesMask(1, queries);
  return mask.map((row) => [...ofQueries, ...row]);
}
