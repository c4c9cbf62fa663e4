import {
  type AttentionMask,
  Blip2Error,
  type LanguageModel,
  type Rows,
  type SpecialTokens,
  type TokenEmbeddings,
  type TokenIds,
} from '@blip2/interfaces';
import { asRows } from '@blip2/runtime';

import type { PromptLayout, VisualPrefix } from './blip2-pipeline.ts';

/** A prompt as the language model reads it. */
export interface MergedPrompt {
  /** `[batch, sequence, embeddingSize]`, image positions included. */
  readonly inputsEmbeds: TokenEmbeddings;
  /** `[batch, sequence]`, 1 where a position counts. */
  readonly attentionMask: AttentionMask;
  /** Ids of the prompt as penalties see them; empty rows where it was given as embeddings. */
  readonly promptIds: readonly TokenIds[];
}

/** The text of a prompt. */
export interface PromptText {
  /**
   * `[batch, sequence]`, image tokens included where the checkpoint has one. Default: image tokens and the start token.
   */
  readonly inputIds?: Rows;
  /**
   * In place of `inputIds`, `[batch, sequence, embeddingSize]`: positions that equal the embedding of the image token
   * take image features, as in the reference.
   */
  readonly inputsEmbeds?: TokenEmbeddings;
  /** `[batch, sequence]`. Default: every position counts. */
  readonly attentionMask?: Rows;
}

interface MergeInputs {
  readonly prefix: VisualPrefix;
  readonly text: PromptText;
  readonly layout: PromptLayout;
  readonly language: LanguageModel;
}

/** The prompt of an image without text: its image tokens, and the start token where the model has one. */
function ownPrompt(
  { dims: [batch, queries] }: VisualPrefix,
  { imageTokenIndex }: PromptLayout,
  { bosTokenId }: SpecialTokens,
): TokenIds[] {
  const images = imageTokenIndex === undefined ? [] : new Array<number>(queries).fill(imageTokenIndex);
  const start = bosTokenId === undefined ? [] : [bosTokenId];
  return Array.from({ length: batch }, () => [...images, ...start]);
}

/**
 * Puts the features of the images into the text: in the places of the image tokens, or in front (repositories of 2023).
 */
export async function mergePrompt({ prefix, text, layout, language }: MergeInputs): Promise<MergedPrompt> {
  const { embeddings, promptIds, imagePlaces } = await readText(prefix, text, layout, language);
  const [batch, sequence, size] = embeddings.dims;
  if (prefix.dims.length !== 3 || prefix.dims[2] !== size) {
    throw new Blip2Error('SHAPE_MISMATCH', 'The visual prefix does not fit the language model', {
      where: 'pixelValues',
      expected: `[batch, queries, ${size}]`,
      got: `[${prefix.dims.join(', ')}]`,
    });
  }
  const mask = text.attentionMask
    ? asRows(text.attentionMask)
    : Array.from({ length: batch }, () => new Array<number>(sequence).fill(1));
  if (!imagePlaces)
    return {
      inputsEmbeds: concatenate(prefix, embeddings),
      attentionMask: mask.map((row) => [...new Array<number>(prefix.dims[1]).fill(1), ...row]),
      promptIds,
    };
  return { inputsEmbeds: replaceImageTokens(prefix, embeddings, imagePlaces, layout), attentionMask: mask, promptIds };
}

interface ReadText {
  readonly embeddings: TokenEmbeddings;
  readonly promptIds: readonly TokenIds[];
  /** Positions that image features take, counted over the whole batch; absent where the features stand in front. */
  readonly imagePlaces: readonly number[] | undefined;
}

async function readText(
  prefix: VisualPrefix,
  { inputIds, inputsEmbeds }: PromptText,
  layout: PromptLayout,
  language: LanguageModel,
): Promise<ReadText> {
  const { imageTokenIndex } = layout;
  if (inputIds && inputsEmbeds)
    throw new Blip2Error('INVALID_ARGUMENT', 'A prompt is given as ids or as embeddings', {
      where: 'inputsEmbeds',
      expected: 'one of the two',
      got: 'both',
    });
  if (!inputsEmbeds) {
    const ids = inputIds ? asRows(inputIds) : ownPrompt(prefix, layout, language.specialTokens);
    const imagePlaces =
      imageTokenIndex === undefined
        ? undefined
        : ids.flat().flatMap((id, index) => (id === imageTokenIndex ? [index] : []));
    return { embeddings: await language.embed(ids), promptIds: ids, imagePlaces };
  }
  const promptIds = Array.from({ length: inputsEmbeds.dims[0] }, () => []);
  if (imageTokenIndex === undefined) return { embeddings: inputsEmbeds, promptIds, imagePlaces: undefined };
  return {
    embeddings: inputsEmbeds,
    promptIds,
    imagePlaces: placesOf(inputsEmbeds, (await language.embed([[imageTokenIndex]])).data),
  };
}

/** Positions whose embedding is `wanted`, number by number. */
function placesOf({ dims: [batch, sequence, size], data }: TokenEmbeddings, wanted: Float32Array): number[] {
  const positions = Array.from({ length: batch * sequence }, (_, index) => index);
  return positions.filter((index) => wanted.every((value, feature) => data[index * size + feature] === value));
}

function concatenate(prefix: VisualPrefix, text: TokenEmbeddings): TokenEmbeddings {
  const [batch, queries, size] = prefix.dims;
  const [rows, sequence] = text.dims;
  if (rows !== batch)
    throw new Blip2Error('SHAPE_MISMATCH', 'There must be one text per image', {
      expected: String(batch),
      got: String(rows),
      where: 'inputIds',
    });
  const data = new Float32Array(batch * (queries + sequence) * size);
  for (let row = 0; row < batch; row++) {
    const start = row * (queries + sequence) * size;
    data.set(prefix.data.subarray(row * queries * size, (row + 1) * queries * size), start);
    data.set(text.data.subarray(row * sequence * size, (row + 1) * sequence * size), start + queries * size);
  }
  return { type: 'float32', dims: [batch, queries + sequence, size], data };
}

/**
 * Image tokens, in reading order over the batch, take the feature rows in theirs. The reference drops rows silently
 * where tokens are too few.
 */
function replaceImageTokens(
  prefix: VisualPrefix,
  text: TokenEmbeddings,
  places: readonly number[],
  { imageTokenIndex }: PromptLayout,
): TokenEmbeddings {
  const [batch, queries, size] = prefix.dims;
  if (places.length !== batch * queries) {
    throw new Blip2Error('SHAPE_MISMATCH', 'The prompt has not one image token per image feature', {
      where: 'inputIds',
      expected: `${batch * queries} tokens ${imageTokenIndex}`,
      got: String(places.length),
      fix: 'Let the processor make the prompt from image and text together',
    });
  }
  const data = text.data.slice();
  places.forEach((place, feature) =>
    data.set(prefix.data.subarray(feature * size, (feature + 1) * size), place * size),
  );
  return { type: 'float32', dims: text.dims, data };
}
