import { type ConversionOptions } from '@blip2/checkpoint';
import { Blip2QFormerConfig, readConfig } from '@blip2/config';
import { type ResolveOptions, resolveSource } from '@blip2/hub';
import {
  type AttentionMask,
  Blip2Error,
  type PatchFeatures,
  type QueryFeatures,
  type Rows,
  type TextConditionedQFormer as TextConditionedQFormerPart,
  type TokenIds,
} from '@blip2/interfaces';
import { convertPartWeights, openPartWeights, type PartWeights, partWeights } from '@blip2/part';
import { asRows, lazySessions, type PartOptions } from '@blip2/runtime';

import { type QueryTokens, readQueryTokens, repeatQueries } from './blip2-qformer-model.ts';
import { planQFormer } from './plan-qformer.ts';
import { firstPositions, joinPositions } from './positions.ts';
import {
  type AskedOutputs,
  type QFormerForwardInputs,
  type QFormerForwardOptions,
  type QFormerOutput,
  runQFormer,
} from './qformer-forward.ts';
import { embedText } from './text-embeddings.ts';

export interface QFormerTextInputs {
  /** `[batch, sequence]`. */
  readonly inputIds: Rows;
  /** `[batch, sequence]`; default: every token counts. */
  readonly attentionMask?: Rows;
  /** `[batch, sequence]`; default: from 0, also where queries stand in front. */
  readonly positionIds?: Rows;
}

export interface QFormerReadInputs extends QFormerTextInputs {
  /**
   * `[batch, patches, encoderHidden]`: the queries read these and stand in front of the text. Without it the text
   * stands alone.
   */
  readonly encoderHiddenStates?: PatchFeatures;
}

/**
 * A Q-Former that also reads text (arXiv 2301.12597, section 3.1: queries and text see each other): the seam, and the
 * forward of its three ways
 * of running: queries alone, text alone, and both.
 */
export interface TextConditionedQFormer extends TextConditionedQFormerPart {
  readonly config: Blip2QFormerConfig;
  readonly queryTokens: QueryTokens;
  /**
   * Word and position embeddings, not normed, `[batch, sequence, hidden]`; with `queryTokens` these stand in front:
   * `[batch, queries + sequence, hidden]`.
   */
  embed(
    inputs: Omit<QFormerTextInputs, 'attentionMask'>,
    options?: { readonly queryTokens?: boolean },
  ): Promise<QueryFeatures>;
  /**
   * A text alone, or queries over an image and a text: states of all positions, queries first. The mask covers the
   * text; queries always count.
   */
  read(inputs: QFormerReadInputs, options?: QFormerForwardOptions): Promise<QFormerOutput>;
  /** Queries alone, or any embeddings: as `Blip2QFormerModel`. */
  forward(inputs: QFormerForwardInputs, options?: QFormerForwardOptions): Promise<QFormerOutput>;
  dispose(): Promise<void>;
}

/** Where the parts of such a Q-Former lie in a checkpoint: full paths, except the norm's, which is below `qformer`. */
export interface QFormerLayout {
  readonly qformer: string;
  readonly embeddings: string;
  readonly norm: string;
}

/** BLIP-2's retrieval checkpoints. */
export const blip2QFormerLayout: QFormerLayout = { qformer: 'qformer', embeddings: 'embeddings', norm: 'layernorm' };
/** InstructBLIP's, where the embeddings are the Q-Former's own. */
export const instructBlipQFormerLayout: QFormerLayout = {
  qformer: 'qformer',
  embeddings: 'qformer.embeddings',
  norm: 'embeddings.layernorm',
};

/** What it is made of. */
export interface TextConditionedQFormerParts {
  readonly config: Blip2QFormerConfig;
  readonly queryTokens: QueryTokens;
  /** Weights of the layers, and those of the two tables. */
  readonly weights: PartWeights;
  readonly embeddingWeights: PartWeights;
  /** Path of the first norm below `weights`. */
  readonly norm?: string;
}

/** Puts a Q-Former with text together. Nothing is loaded before it is used. */
export function createTextConditionedQFormer(
  { config, queryTokens, weights, embeddingWeights, norm = blip2QFormerLayout.norm }: TextConditionedQFormerParts,
  options: PartOptions = {},
): TextConditionedQFormer {
  const sessions = lazySessions('Q-Former', options);
  const run = (inputs: QFormerForwardInputs, asked: AskedOutputs): Promise<QFormerOutput> =>
    runQFormer(
      sessions,
      config,
      weights,
      {
        ...inputs,
        queryEmbeds: inputs.queryEmbeds ?? repeatQueries(queryTokens, inputs.encoderHiddenStates?.dims[0] ?? 1),
      },
      { ...asked, norm },
    );
  const asked = ({
    outputHiddenStates,
    outputAttentions,
    useCache = false,
  }: QFormerForwardOptions = {}): AskedOutputs => ({
    hiddenStates: outputHiddenStates ?? config.outputHiddenStates,
    attentions: outputAttentions ?? config.outputAttentions,
    keyValues: useCache,
  });
  const read = async (
    { inputIds, attentionMask, positionIds, encoderHiddenStates }: QFormerReadInputs,
    outputs: AskedOutputs,
  ): Promise<QFormerOutput> => {
    const ids = asRows(inputIds);
    const mask = attentionMask && fittingMask(asRows(attentionMask), ids);
    const text = await embedText(sessions, config, embeddingWeights, ids, positionIds && asRows(positionIds));
    if (!encoderHiddenStates)
      return run({ queryEmbeds: text, queryLength: 0, ...(mask && { attentionMask: mask }) }, outputs);
    expectPairs(encoderHiddenStates, ids);
    const queryLength = queryTokens.dims[1];
    return run(
      {
        queryEmbeds: joinPositions(repeatQueries(queryTokens, ids.length), text),
        queryLength,
        encoderHiddenStates,
        ...(mask && { attentionMask: withQueries(mask, queryLength) }),
      },
      outputs,
    );
  };
  const dispose = async (): Promise<void> => {
    await sessions[Symbol.asyncDispose]();
    await weights[Symbol.asyncDispose]();
    await embeddingWeights[Symbol.asyncDispose]();
  };
  return {
    config,
    queryTokens,
    conditioning: 'text',
    numQueryTokens: queryTokens.dims[1],
    hiddenSize: config.hiddenSize,
    encoderHiddenSize: config.encoderHiddenSize,
    async query(patches, text) {
      const { lastHiddenState } = await read(
        { ...text, encoderHiddenStates: patches },
        asked({ outputHiddenStates: false, outputAttentions: false }),
      );
      return firstPositions(lastHiddenState, queryTokens.dims[1]);
    },
    async embed({ inputIds, positionIds }, { queryTokens: withTokens = false } = {}) {
      const ids = asRows(inputIds);
      const text = await embedText(sessions, config, embeddingWeights, ids, positionIds && asRows(positionIds));
      return withTokens ? joinPositions(repeatQueries(queryTokens, ids.length), text) : text;
    },
    read: (inputs, outputs) => read(inputs, asked(outputs)),
    forward: (inputs, outputs) => run(inputs, asked(outputs)),
    dispose,
    [Symbol.asyncDispose]: dispose,
  };
}

function expectPairs({ dims: [images] }: PatchFeatures, ids: readonly TokenIds[]): void {
  if (ids.length !== images)
    throw new Blip2Error('SHAPE_MISMATCH', 'There must be one text per image', {
      where: 'inputIds',
      expected: String(images),
      got: String(ids.length),
    });
}

function fittingMask(mask: AttentionMask, ids: readonly TokenIds[]): AttentionMask {
  if (mask.length === ids.length && mask.every((row, index) => row.length === ids[index]?.length)) return mask;
  throw new Blip2Error('SHAPE_MISMATCH', 'Mask and text differ in shape', {
    where: 'attentionMask',
    expected: `[${ids.length}, ${ids[0]?.length ?? 0}]`,
    got: `[${mask.length}, ${mask[0]?.length ?? 0}]`,
  });
}

/** Queries always count. */
function withQueries(mask: AttentionMask, queries: number): AttentionMask {
  return mask.map((row) => [...new Array<number>(queries).fill(1), ...row]);
}

export interface TextQFormerOptions extends PartOptions, ResolveOptions, ConversionOptions {
  /** Default: that of the family that the configuration names. */
  readonly layout?: QFormerLayout;
}

async function fromPretrained(
  source: string,
  { layout: givenLayout, ...options }: TextQFormerOptions = {},
): Promise<TextConditionedQFormer> {
  const folder = await resolveSource(source, options);
  const config = Blip2QFormerConfig.fromJson(await readConfig(folder), folder);
  const layout =
    givenLayout ?? (config.modelType === 'instructblip_qformer' ? instructBlipQFormerLayout : blip2QFormerLayout);
  const weights = await openPartWeights(folder, layout.qformer);
  const queryTokens = await readQueryTokens(weights, config);
  const plan = planQFormer(config, weights, options.dtype, { norm: layout.norm, text: true });
  const parts = {
    config,
    queryTokens,
    weights: await convertPartWeights(weights, plan, layout.qformer, options),
    embeddingWeights: partWeights(weights.store, layout.embeddings),
    norm: layout.norm,
  };
  return createTextConditionedQFormer(parts, options);
}

export const TextConditionedQFormer: {
  /**
   * Loads Q-Former, queries and text embeddings from a folder in the Hugging Face layout of a whole retrieval model or
   * of InstructBLIP.
   */
  readonly fromPretrained: typeof fromPretrained;
} = { fromPretrained };
