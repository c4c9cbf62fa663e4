import { Blip2Error, type AttentionMask, type LanguageModel, type SpecialTokens, type TokenEmbeddings, type TokenIds } from '@blip2/interfaces';
import type { PromptLayout, VisualPrefix } from './pipeline.ts';

/** A prompt as the language model reads it. */
export interface MergedPrompt {
  readonly inputsEmbeds: TokenEmbeddings;
  readonly attentionMask: AttentionMask;
  /** Ids of the prompt as penalties see them. */
  readonly promptIds: readonly TokenIds[];
}

interface MergeInputs {
  readonly prefix: VisualPrefix;
  readonly ids: readonly TokenIds[];
  readonly attentionMask: AttentionMask | undefined;
  readonly layout: PromptLayout;
  readonly language: LanguageModel;
}

/** The prompt of a picture without text: its image tokens, and the start token where the model has one. */
export function ownPrompt({ dims: [batch, queries] }: VisualPrefix, { imageTokenIndex }: PromptLayout, { bosTokenId }: SpecialTokens): TokenIds[] {
  const images = imageTokenIndex === undefined ? [] : new Array<number>(queries).fill(imageTokenIndex);
  const start = bosTokenId === undefined ? [] : [bosTokenId];
  return Array.from({ length: batch }, () => [...images, ...start]);
}

/** Puts the features of the images into the text: in the places of the image tokens, or in front (repositories of 2023). */
export async function mergePrompt({ prefix, ids, attentionMask, layout, language }: MergeInputs): Promise<MergedPrompt> {
  const text = await language.embed(ids);
  if (prefix.dims.length !== 3 || prefix.dims[2] !== text.dims[2]) {
    throw new Blip2Error('SHAPE_MISMATCH', 'The visual prefix does not fit the language model', { where: 'pixelValues', expected: `[batch, queries, ${text.dims[2]}]`, got: `[${prefix.dims.join(', ')}]` });
  }
  const mask = attentionMask ?? ids.map((row) => row.map(() => 1));
  const { imageTokenIndex } = layout;
  if (imageTokenIndex === undefined) return { inputsEmbeds: concatenate(prefix, text), attentionMask: mask.map((row) => [...new Array<number>(prefix.dims[1]).fill(1), ...row]), promptIds: ids };
  return { inputsEmbeds: replaceImageTokens(prefix, text, ids, imageTokenIndex), attentionMask: mask, promptIds: ids };
}

function concatenate(prefix: VisualPrefix, text: TokenEmbeddings): TokenEmbeddings {
  const [batch, queries, size] = prefix.dims;
  const [rows, sequence] = text.dims;
  if (rows !== batch) throw new Blip2Error('SHAPE_MISMATCH', 'There must be one text per picture', { expected: String(batch), got: String(rows), where: 'inputIds' });
  const data = new Float32Array(batch * (queries + sequence) * size);
  for (let row = 0; row < batch; row++) {
    const start = row * (queries + sequence) * size;
    data.set(prefix.data.subarray(row * queries * size, (row + 1) * queries * size), start);
    data.set(text.data.subarray(row * sequence * size, (row + 1) * sequence * size), start + queries * size);
  }
  return { type: 'float32', dims: [batch, queries + sequence, size], data };
}

/** Image tokens, in reading order over the batch, take the feature rows in theirs. The reference drops rows silently where tokens are too few. */
function replaceImageTokens(prefix: VisualPrefix, text: TokenEmbeddings, ids: readonly TokenIds[], imageTokenIndex: number): TokenEmbeddings {
  const [batch, queries, size] = prefix.dims;
  const places = ids.flat().flatMap((id, index) => (id === imageTokenIndex ? [index] : []));
  if (places.length !== batch * queries) {
    throw new Blip2Error('SHAPE_MISMATCH', 'The prompt has not one image token per image feature', {
      where: 'inputIds', expected: `${batch * queries} tokens ${imageTokenIndex}`, got: String(places.length), fix: 'Let the processor make the prompt from picture and text together',
    });
  }
  const data = text.data.slice();
  places.forEach((place, feature) => data.set(prefix.data.subarray(feature * size, (feature + 1) * size), place * size));
  return { type: 'float32', dims: text.dims, data };
}
