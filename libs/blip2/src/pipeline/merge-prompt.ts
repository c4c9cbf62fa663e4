import {
  type AttentionMask,
  Blip2Error,
  concatPositions,
  type LanguageModel,
  onesMask,
  type Rows,
  type SpecialTokens,
  type TokenEmbeddings,
  type TokenIds,
} from '@blip2/interfaces';
import { asRows } from '@blip2/runtime';

/** Image embeddings for the language model, `[batch, queries, embeddingSize]`: reusable for any number of questions. */
export type VisualPrefix = TokenEmbeddings;

/** The position of images in a prompt. */
export interface PromptLayout {
  /**
   * The image token, whose positions take the image features. `undefined`: the features precede the text (legacy
   * checkpoints).
   */
  readonly imageTokenIndex: number | undefined;
}

/** The text of a prompt. */
export interface PromptText {
  /**
   * `[batch, sequence]`, including image tokens if the checkpoint has one. Default: image tokens and the start token.
   */
  readonly inputIds?: Rows;
  /**
   * Instead of `inputIds`, `[batch, sequence, embeddingSize]`: positions that equal the embedding of the image token
   * take image features, as in Hugging Face Transformers.
   */
  readonly inputsEmbeds?: TokenEmbeddings;
  /** `[batch, sequence]`. Default: all ones. */
  readonly attentionMask?: Rows;
}

/** A prompt with image features, as input of the language model. */
export interface MergedPrompt {
  /** `[batch, sequence, embeddingSize]`, image positions included. */
  readonly inputsEmbeds: TokenEmbeddings;
  /** `[batch, sequence]`, 0 for padding. */
  readonly attentionMask: AttentionMask;
  /** The ids of the prompt, for penalties; empty rows for a prompt of embeddings. */
  readonly promptIds: readonly TokenIds[];
}

interface MergeInputs {
  readonly prefix: VisualPrefix;
  readonly text: PromptText;
  readonly layout: PromptLayout;
  readonly language: LanguageModel;
}

/**
 * Merges the features of images into the text of prompts: at the image tokens, or before the text (legacy checkpoints).
 * @throws Blip2Error `INVALID_ARGUMENT` for both ids and embeddings.
 * @throws Blip2Error `SHAPE_MISMATCH` if widths, image tokens and features, or texts and images do not match.
 */
export async function mergePrompt({ prefix, text, layout, language }: MergeInputs): Promise<MergedPrompt> {
  const { embeddings, promptIds, imagePositions } = await embedText(prefix, text, layout, language);
  const [batch, sequence, size] = embeddings.dims;
  if (prefix.dims.length !== 3 || prefix.dims[2] !== size) {
    throw new Blip2Error('SHAPE_MISMATCH', 'The visual prefix must have the width of the language model', {
      argument: 'pixelValues',
      where: 'pixelValues',
      expected: `[batch, queries, ${size}]`,
      got: `[${prefix.dims.join(', ')}]`,
    });
  }
  const attentionMask = text.attentionMask ? asRows(text.attentionMask, 'attentionMask') : onesMask(batch, sequence);
  if (imagePositions) {
    const inputsEmbeds = replaceImageTokens(prefix, embeddings, imagePositions, layout);
    return { inputsEmbeds, attentionMask, promptIds };
  }
  if (batch !== prefix.dims[0])
    throw new Blip2Error('SHAPE_MISMATCH', 'inputIds must have one row per image', {
      argument: 'inputIds',
      where: 'inputIds',
      expected: String(prefix.dims[0]),
      got: String(batch),
    });
  const before = new Array<number>(prefix.dims[1]).fill(1);
  return {
    inputsEmbeds: concatPositions(prefix, embeddings),
    attentionMask: attentionMask.map((row) => [...before, ...row]),
    promptIds,
  };
}

interface EmbeddedText {
  readonly embeddings: TokenEmbeddings;
  readonly promptIds: readonly TokenIds[];
  /** Positions that take image features, counted over the whole batch; absent if the features precede the text. */
  readonly imagePositions: readonly number[] | undefined;
}

async function embedText(
  prefix: VisualPrefix,
  { inputIds, inputsEmbeds }: PromptText,
  layout: PromptLayout,
  language: LanguageModel,
): Promise<EmbeddedText> {
  const { imageTokenIndex } = layout;
  if (inputIds && inputsEmbeds)
    throw new Blip2Error('INVALID_ARGUMENT', 'A prompt must be either inputIds or inputsEmbeds, got both', {
      argument: 'inputsEmbeds',
    });
  if (!inputsEmbeds) {
    const ids = inputIds ? asRows(inputIds) : defaultPrompt(prefix, layout, language.specialTokens);
    const imagePositions =
      imageTokenIndex === undefined
        ? undefined
        : ids.flat().flatMap((id, index) => (id === imageTokenIndex ? [index] : []));
    return { embeddings: await language.embed(ids), promptIds: ids, imagePositions };
  }
  const promptIds = Array.from({ length: inputsEmbeds.dims[0] }, () => []);
  if (imageTokenIndex === undefined) return { embeddings: inputsEmbeds, promptIds, imagePositions: undefined };
  const { data: imageToken } = await language.embed([[imageTokenIndex]]);
  return { embeddings: inputsEmbeds, promptIds, imagePositions: positionsOf(imageToken, inputsEmbeds) };
}

/** The prompt of an image without text: its image tokens, and the start token if the model has one. */
function defaultPrompt(
  { dims: [batch, queries] }: VisualPrefix,
  { imageTokenIndex }: PromptLayout,
  { bosTokenId }: SpecialTokens,
): TokenIds[] {
  const images = imageTokenIndex === undefined ? [] : new Array<number>(queries).fill(imageTokenIndex);
  const start = bosTokenId === undefined ? [] : [bosTokenId];
  return Array.from({ length: batch }, () => [...images, ...start]);
}

/** Positions whose embedding equals `wanted` exactly. */
function positionsOf(wanted: Float32Array, { dims: [batch, sequence, size], data }: TokenEmbeddings): number[] {
  const positions = Array.from({ length: batch * sequence }, (_, index) => index);
  return positions.filter((index) => wanted.every((value, feature) => data[index * size + feature] === value));
}

/**
 * Replaces image tokens by feature rows, both in order over the batch. Their numbers must match; HF silently drops the
 * rows that have no token.
 */
function replaceImageTokens(
  prefix: VisualPrefix,
  text: TokenEmbeddings,
  positions: readonly number[],
  { imageTokenIndex }: PromptLayout,
): TokenEmbeddings {
  const [batch, queries, size] = prefix.dims;
  if (positions.length !== batch * queries) {
    throw new Blip2Error('SHAPE_MISMATCH', 'The prompt must have one image token per image feature', {
      argument: 'inputIds',
      where: 'inputIds',
      expected: `${batch * queries} tokens ${imageTokenIndex}`,
      got: String(positions.length),
      fix: 'Let the processor build the prompt from image and text together',
    });
  }
  const data = text.data.slice();
  positions.forEach((position, feature) =>
    data.set(prefix.data.subarray(feature * size, (feature + 1) * size), position * size),
  );
  return { type: 'float32', dims: text.dims, data };
}
