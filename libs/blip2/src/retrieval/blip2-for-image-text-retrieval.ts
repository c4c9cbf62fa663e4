import type { Blip2Config } from '@blip2/config';
import type { PixelValues, QueryFeatures, Rows, Tensor } from '@blip2/interfaces';
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
import type { Blip2VisionModel, VisionOutput } from '@blip2/vision';

import { saveModel, type SaveModelOptions } from '../checkpoint/save-model.ts';
import type { CheckpointParts } from '../parts/checkpoint-parts.ts';
import type { LoadOptions } from '../parts/load-options.ts';
import type { RandomOptions } from '../parts/random-parts.ts';
import { openRandomRetrieval, openRetrieval } from './open-retrieval.ts';
import { RETRIEVAL_CONTENT } from './retrieval-content.ts';
import { bestCosines, firstPosition, type Scores, transposed } from './similarity.ts';

/** Images and texts to compare. */
export interface RetrievalInputs {
  /** `[images, 3, height, width]`. */
  readonly pixelValues: PixelValues;
  /** `[texts, sequence]`, padded on the right; as many as images if the matching head is used. */
  readonly inputIds: Rows;
  /** `[texts, sequence]`. Default: every token counts. */
  readonly attentionMask?: Rows;
}

/** How they are compared. Defaults of the last two: the configuration. */
export interface RetrievalOptions {
  /**
   * Judge image `i` with text `i` by the matching head (ITM) instead of comparing all with all (ITC). Default false.
   */
  readonly useImageTextMatchingHead?: boolean;
  /** States of every layer of the vision encoder and the Q-Former. */
  readonly outputHiddenStates?: boolean;
  /** Attention maps of every layer of both. */
  readonly outputAttentions?: boolean;
}

/** With the matching head (ITM) and without (ITC) the same names mean different things, as in the reference. */
export interface RetrievalOutput {
  /**
   * ITM: `[pairs, 2]`, before softmax, column 1 "matches". ITC: `[images, texts]`, the cosine of the best query, in
   * [-1, 1]; no temperature.
   */
  readonly logitsPerImage: Scores;
  /** Its transpose. */
  readonly logitsPerText: Scores;
  /** ITM: states of the Q-Former, `[pairs, queries + sequence, hidden]`. ITC: `[texts, size]`, of length 1. */
  readonly textEmbeds: Tensor<'float32'>;
  /**
   * ITM: states of the vision encoder, `[pairs, patches, visionHidden]`. ITC: `[images, queries, size]`, of length 1.
   */
  readonly imageEmbeds: Tensor<'float32'>;
  /** ITM: of queries and text. ITC: of the text. */
  readonly textModelOutput: QFormerOutput;
  /** Of the images, `lastHiddenState` `[images, 1 + patches, visionHidden]`. */
  readonly visionModelOutput: VisionOutput;
}

/** The parts behind their names in the reference. */
export interface RetrievalModelParts {
  /** As it was read, defaults filled in. */
  readonly config: Blip2Config;
  /** Pixels `[images, 3, height, width]` → `[images, 1 + patches, visionHidden]`. */
  readonly visionModel: Blip2VisionModel;
  /** Reads patches, a text, or both. */
  readonly qformer: TextConditionedQFormer;
  /** Queries → vectors of length 1, `[images, queries, size]`. */
  readonly visionProjection: RetrievalProjection;
  /** States of a text → vectors of length 1, `[texts, sequence, size]`. */
  readonly textProjection: RetrievalProjection;
  /** Queries that have read a text → `[pairs, 2]`, column 1 "matches", before softmax. */
  readonly itmHead: MatchingHead;
}

/**
 * Do this image and this text belong together? The model of the paper's first stage (`Blip2ForImageTextRetrieval` of
 * the reference).
 */
export interface Blip2ForImageTextRetrieval extends RetrievalModelParts, AsyncDisposable {
  /** `[1, queries, hidden]`. */
  readonly queryTokens: QueryTokens;
  /**
   * Compares each image with each text, or pair by pair (arXiv 2301.12597, section 3.1).
   * @throws Blip2Error `SHAPE_MISMATCH` for images of another size, or if the matching head gets other numbers of
   * images and texts; `SEQUENCE_TOO_LONG`,
   * `INVALID_ARGUMENT` for impossible ids; `DISPOSED`.
   */
  forward(inputs: RetrievalInputs, options?: RetrievalOptions): Promise<RetrievalOutput>;
  /**
   * Word and position embeddings of a text, not normed, `[texts, sequence, hidden]`; after the query tokens if asked.
   * @throws Blip2Error `SEQUENCE_TOO_LONG`, `INVALID_ARGUMENT`.
   */
  textEmbeddings(
    inputs: Omit<QFormerTextInputs, 'attentionMask'>,
    options?: { readonly withQueryTokens?: boolean },
  ): Promise<QueryFeatures>;
  /**
   * Writes configuration, tokenizer and weights in the hub layout, so that the reference loads them. @throws Blip2Error
   * `INVALID_ARGUMENT`, `WRITE_FAILED`.
   */
  savePretrained(folder: string, options?: SaveModelOptions): Promise<void>;
  /** Ends all parts and gives their memory back; what is asked of them after that fails with `DISPOSED`. */
  dispose(): Promise<void>;
}

export async function assembleRetrieval(parts: CheckpointParts): Promise<Blip2ForImageTextRetrieval> {
  const { config, folder } = parts;
  const model: RetrievalModelParts = {
    config,
    visionModel: await parts.vision(),
    qformer: await parts.textQFormer(),
    visionProjection: await parts.visionProjection(),
    textProjection: await parts.textProjection(),
    itmHead: await parts.matchingHead(),
  };
  const dispose = async (): Promise<void> => parts[Symbol.asyncDispose]();
  return {
    ...model,
    queryTokens: model.qformer.queryTokens,
    forward: (inputs, options) => forward(model, inputs, options),
    textEmbeddings: (inputs, { withQueryTokens = false } = {}) =>
      model.qformer.embed(inputs, { queryTokens: withQueryTokens }),
    savePretrained: (target, options) => saveModel(folder, config, target, options, RETRIEVAL_CONTENT),
    dispose,
    [Symbol.asyncDispose]: dispose,
  };
}

async function forward(
  model: RetrievalModelParts,
  inputs: RetrievalInputs,
  { useImageTextMatchingHead = false, ...asked }: RetrievalOptions = {},
): Promise<RetrievalOutput> {
  const { config } = model;
  const options = {
    outputHiddenStates: asked.outputHiddenStates ?? config.outputHiddenStates,
    outputAttentions: asked.outputAttentions ?? config.outputAttentions,
  };
  const visionModelOutput = await model.visionModel.forward({ pixelValues: inputs.pixelValues }, options);
  const text = textOf(config, inputs);
  return useImageTextMatchingHead
    ? match(model, visionModelOutput, text, options)
    : compare(model, visionModelOutput, text, options);
}

/** The text alone: a checkpoint with an image token has as many of them in front as queries. */
function textOf(
  { imageTokenIndex, numQueryTokens }: Blip2Config,
  { inputIds, attentionMask }: RetrievalInputs,
): QFormerTextInputs {
  const skipped = imageTokenIndex === undefined ? 0 : numQueryTokens;
  const cut = (rows: Rows): Rows => asRows(rows).map((row) => row.slice(skipped));
  return { inputIds: cut(inputIds), ...(attentionMask && { attentionMask: cut(attentionMask) }) };
}

async function match(
  { qformer, itmHead }: RetrievalModelParts,
  visionModelOutput: VisionOutput,
  text: QFormerTextInputs,
  options: RetrievalOptions,
): Promise<RetrievalOutput> {
  const patches = visionModelOutput.lastHiddenState;
  const textModelOutput = await qformer.read({ ...text, encoderHiddenStates: patches }, options);
  const states = textModelOutput.lastHiddenState;
  const logitsPerImage = await itmHead.classify(firstPositions(states, qformer.numQueryTokens));
  return {
    logitsPerImage,
    logitsPerText: transposed(logitsPerImage),
    textEmbeds: states,
    imageEmbeds: patches,
    textModelOutput,
    visionModelOutput,
  };
}

async function compare(
  { qformer, visionProjection, textProjection }: RetrievalModelParts,
  visionModelOutput: VisionOutput,
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

async function fromPretrained(source: string, options: LoadOptions = {}): Promise<Blip2ForImageTextRetrieval> {
  return openRetrieval(source, options, RETRIEVAL_CONTENT, assembleRetrieval);
}

async function fromConfig(
  config: Blip2Config,
  options: RandomOptions & LoadOptions = {},
): Promise<Blip2ForImageTextRetrieval> {
  return openRandomRetrieval(config, options, RETRIEVAL_CONTENT, assembleRetrieval);
}

export const Blip2ForImageTextRetrieval: {
  /**
   * Loads a folder in the Hugging Face layout or a hub id. Weights are read when a part is first used.
   * @throws Blip2Error `MISSING_WEIGHT` if any is missing; `INVALID_ARGUMENT`, `UNKNOWN_OPTION`, `UNSUPPORTED_DTYPE`,
   * `UNSUPPORTED_DEVICE` for options;
   * `MISSING_FILE`, `INVALID_CONFIG`, `INVALID_CHECKPOINT`, `UNSUPPORTED_ARCHITECTURE` for what the source holds (also
   * if its Q-Former reads no text); of a hub id also `NOT_FOUND`,
   * `UNAUTHORIZED`, `OFFLINE`, `DOWNLOAD_FAILED`, `INTEGRITY_FAILED`.
   */
  readonly fromPretrained: typeof fromPretrained;
  /**
   * A model with random weights, in a temporary file that goes away with it.
   * @throws Blip2Error `INVALID_ARGUMENT`, `UNKNOWN_OPTION`, `UNSUPPORTED_DTYPE`, `UNSUPPORTED_DEVICE` for options;
   * `WRITE_FAILED`.
   */
  readonly fromConfig: typeof fromConfig;
} = { fromPretrained, fromConfig };
