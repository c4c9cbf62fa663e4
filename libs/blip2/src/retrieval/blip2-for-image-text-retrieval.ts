import type { Blip2Config } from '@blip2/config';
import {
  defined,
  expectKnownOptions,
  type PixelValues,
  type QueryFeatures,
  type Rows,
  type Tensor,
} from '@blip2/interfaces';
import { expectForwardOptions } from '@blip2/part';
import {
  firstPositions,
  type MatchingHead,
  type QFormerOutput,
  type QFormerTextInputs,
  type QueryTokens,
  type RetrievalProjection,
  type TextConditionedQFormer,
} from '@blip2/qformer';
import { asRows } from '@blip2/runtime';
import type { CheckpointVisionEncoder, OptionallyPooledOutput } from '@blip2/vision';

import type { ModelSources } from '../checkpoint/model-sources.ts';
import type { ModelLoader } from '../models/model-loader.ts';
import type { CheckpointParts } from '../parts/checkpoint-parts.ts';
import { expectImageInputs } from '../pipeline/image-inputs.ts';
import { RETRIEVAL_CONTENT } from './retrieval-content.ts';
import { createRetrievalLoader } from './retrieval-loader.ts';
import { createSavableModel, type SavableModel } from './savable-model.ts';
import { bestCosines, firstPosition, type Scores, transposed } from './similarity.ts';

/** Images and texts to compare. */
export interface RetrievalInputs {
  /** `[images, 3, height, width]`. */
  readonly pixelValues: PixelValues;
  /** `[texts, sequence]`, padded on the right; with the matching head, one text per image. */
  readonly inputIds: Rows;
  /** `[texts, sequence]`. Default: all ones. */
  readonly attentionMask?: Rows;
}

/** How they are compared. The last two default to the configuration. */
export interface RetrievalOptions {
  /**
   * Score image `i` with text `i` by the matching head (ITM) instead of all images with all texts (ITC). Default:
   * false.
   */
  readonly useImageTextMatchingHead?: boolean;
  /** Hidden states of every layer of the vision encoder and the Q-Former. */
  readonly outputHiddenStates?: boolean;
  /** Attention maps of every layer of both. */
  readonly outputAttentions?: boolean;
}

/**
 * Output of `forward`. As in Hugging Face Transformers, fields mean different things with the matching head (ITM) and
 * without it (ITC).
 */
export interface RetrievalOutput {
  /**
   * ITM: logits `[pairs, 2]`, column 1 is "matches". ITC: `[images, texts]`, the cosine of the best query, in [-1, 1],
   * without temperature.
   */
  readonly logitsPerImage: Scores;
  /** Its transpose. */
  readonly logitsPerText: Scores;
  /** ITM: hidden states of the Q-Former, `[pairs, queries + sequence, hidden]`. ITC: unit vectors `[texts, size]`. */
  readonly textEmbeds: Tensor<'float32'>;
  /**
   * ITM: hidden states of the vision encoder, `[pairs, patches, visionHidden]`. ITC: unit vectors `[images, queries,
   * size]`.
   */
  readonly imageEmbeds: Tensor<'float32'>;
  /** ITM: of queries and text. ITC: of the text. */
  readonly textModelOutput: QFormerOutput;
  /** Of the images, `lastHiddenState` `[images, 1 + patches, visionHidden]`. */
  readonly visionModelOutput: OptionallyPooledOutput;
}

/** The parts, named as in Hugging Face Transformers. */
export interface RetrievalModelParts {
  /** The configuration of the checkpoint, with defaults filled in. */
  readonly config: Blip2Config;
  /** Pixels `[images, 3, height, width]` → `[images, 1 + patches, visionHidden]`. */
  readonly visionModel: CheckpointVisionEncoder;
  /** Takes patches, a text, or both. */
  readonly qformer: TextConditionedQFormer;
  /** Query outputs → unit vectors `[images, queries, size]`. */
  readonly visionProjection: RetrievalProjection;
  /** Hidden states of a text → unit vectors `[texts, sequence, size]`. */
  readonly textProjection: RetrievalProjection;
  /** Query outputs for image and text → logits `[pairs, 2]`, column 1 is "matches". */
  readonly itmHead: MatchingHead;
}

/**
 * The model of the first training stage, which compares images with texts. Source: `Blip2ForImageTextRetrieval` of
 * Hugging Face Transformers; arXiv 2301.12597, section 3.1.
 */
export interface Blip2ForImageTextRetrieval extends RetrievalModelParts, SavableModel {
  /** `[1, queries, hidden]`. */
  readonly queryTokens: QueryTokens;
  /**
   * Compares each image with each text, or pair by pair.
   * @throws Blip2Error `SHAPE_MISMATCH` for images of another size, or if the matching head gets different numbers of
   * images and texts; `INVALID_ARGUMENT` for ids beyond the vocabulary; `SEQUENCE_TOO_LONG`; `DISPOSED`.
   */
  forward(inputs: RetrievalInputs, options?: RetrievalOptions): Promise<RetrievalOutput>;
  /**
   * Token and position embeddings of a text before layer norm, `[texts, sequence, hidden]`; with `withQueryTokens`,
   * after the query tokens.
   * @throws Blip2Error `SEQUENCE_TOO_LONG`, `INVALID_ARGUMENT`.
   */
  textEmbeddings(
    inputs: Omit<QFormerTextInputs, 'attentionMask'>,
    options?: { readonly withQueryTokens?: boolean },
  ): Promise<QueryFeatures>;
}

/** Builds the model from the parts of a checkpoint. */
export async function assembleRetrieval(parts: CheckpointParts): Promise<Blip2ForImageTextRetrieval> {
  const { config } = parts;
  const model: RetrievalModelParts = {
    config,
    visionModel: await parts.vision(),
    qformer: await parts.textQFormer(),
    visionProjection: await parts.visionProjection(),
    textProjection: await parts.textProjection(),
    itmHead: await parts.matchingHead(),
  };
  return {
    ...createSavableModel(parts, RETRIEVAL_CONTENT),
    ...model,
    queryTokens: model.qformer.queryTokens,
    forward: parts.queue.wrap(
      (inputs: RetrievalInputs, options?: RetrievalOptions) => forward(model, inputs, options),
      (inputs, options = {}) => {
        expectImageInputs('forward', inputs, ['pixelValues', 'inputIds', 'attentionMask']);
        expectForwardOptions('forward', options, Object.keys(OPTIONS));
      },
    ),
    textEmbeddings: parts.queue.wrap(
      (
        inputs: Omit<QFormerTextInputs, 'attentionMask'>,
        { withQueryTokens = false }: { readonly withQueryTokens?: boolean } = {},
      ) => model.qformer.embed(inputs, { queryTokens: withQueryTokens }),
      (_, options = {}) => expectKnownOptions('textEmbeddings', options, ['withQueryTokens']),
    ),
  };
}

const OPTIONS: Readonly<Record<keyof RetrievalOptions, true>> = {
  useImageTextMatchingHead: true,
  outputHiddenStates: true,
  outputAttentions: true,
};

async function forward(
  model: RetrievalModelParts,
  inputs: RetrievalInputs,
  requested: RetrievalOptions = {},
): Promise<RetrievalOutput> {
  const { useImageTextMatchingHead = false } = requested;
  const { config } = model;
  const options = {
    outputHiddenStates: requested.outputHiddenStates ?? config.outputHiddenStates,
    outputAttentions: requested.outputAttentions ?? config.outputAttentions,
  };
  const visionModelOutput = await model.visionModel.forward({ pixelValues: inputs.pixelValues }, options);
  const text = textOf(config, inputs);
  return useImageTextMatchingHead
    ? match(model, visionModelOutput, text, options)
    : compare(model, visionModelOutput, text, options);
}

/** The text without the image tokens before it, one per query if the checkpoint has an image token. */
function textOf(
  { imageTokenIndex, numQueryTokens }: Blip2Config,
  { inputIds, attentionMask }: RetrievalInputs,
): QFormerTextInputs {
  const skipped = imageTokenIndex === undefined ? 0 : numQueryTokens;
  const cut = (rows: Rows): Rows => asRows(rows).map((row) => row.slice(skipped));
  return { inputIds: cut(inputIds), ...defined({ attentionMask: attentionMask && cut(attentionMask) }) };
}

async function match(
  { qformer, itmHead }: RetrievalModelParts,
  visionModelOutput: OptionallyPooledOutput,
  text: QFormerTextInputs,
  options: RetrievalOptions,
): Promise<RetrievalOutput> {
  const patches = visionModelOutput.lastHiddenState;
  const textModelOutput = await qformer.read({ ...text, encoderHiddenStates: patches }, options);
  const hiddenStates = textModelOutput.lastHiddenState;
  const logitsPerImage = await itmHead.classify(firstPositions(hiddenStates, qformer.numQueryTokens));
  return {
    logitsPerImage,
    logitsPerText: transposed(logitsPerImage),
    textEmbeds: hiddenStates,
    imageEmbeds: patches,
    textModelOutput,
    visionModelOutput,
  };
}

async function compare(
  { qformer, visionProjection, textProjection }: RetrievalModelParts,
  visionModelOutput: OptionallyPooledOutput,
  text: QFormerTextInputs,
  options: RetrievalOptions,
): Promise<RetrievalOutput> {
  const queries = await qformer.forward(
    { encoderHiddenStates: visionModelOutput.lastHiddenState },
    { outputHiddenStates: false, outputAttentions: false },
  );
  const imageEmbeds = await visionProjection.project(queries.lastHiddenState);
  const textModelOutput = await qformer.read(text, options);
  const textEmbeds = firstPosition(await textProjection.project(firstPositions(textModelOutput.lastHiddenState, 1)));
  const logitsPerImage = bestCosines(imageEmbeds, textEmbeds);
  return {
    logitsPerImage,
    logitsPerText: transposed(logitsPerImage),
    textEmbeds,
    imageEmbeds,
    textModelOutput,
    visionModelOutput,
  };
}

export const Blip2ForImageTextRetrieval: ModelLoader<string | ModelSources, Blip2Config, Blip2ForImageTextRetrieval> =
  createRetrievalLoader(RETRIEVAL_CONTENT, assembleRetrieval);
