import {
  Blip2Error,
  expectFinite,
  expectInputs,
  expectKnownOptions,
  type ImageSource,
  mustBe,
  onesMask,
  type Tensor,
} from '@blip2/interfaces';

import { expectTexts, isImageList } from '../images/image-list.ts';
import { expectImageOptions } from '../images/task-images.ts';
import {
  encodeRetrievalImages,
  encodeRetrievalTexts,
  NO_OUTPUTS,
  RETRIEVAL_OPTIONS,
  type RetrievalImage,
  type RetrievalTaskOptions,
  type RetrievalTaskParts,
  tokenize,
} from './encode-retrieval-inputs.ts';

/** Images, texts, or pairs of them. */
export interface EmbedInputs {
  /** At least one of the two is required. */
  readonly images?: readonly ImageSource[];
  /** With images: the `i`-th text belongs to the `i`-th image. */
  readonly text?: readonly string[];
}

/**
 * The kind of features.
 * - Of an image: `vision`, hidden states of the encoder `[patches, visionHidden]`; `qformer`, query outputs `[queries,
 *   hidden]`; `image-proj`, the queries projected to unit vectors `[queries, size]`.
 * - Of a text: `text`, hidden states of the Q-Former `[tokens, hidden]`; `text-proj`, one unit vector `[size]`, whose
 *   dot product with the best row of `image-proj` is the ITC score.
 * - Of both: `multimodal`, query outputs for image and text together `[queries, hidden]`.
 */
export type EmbedPart = 'vision' | 'qformer' | 'image-proj' | 'text' | 'text-proj' | 'multimodal';

/** Which features to compute. */
export interface EmbedOptions extends RetrievalTaskOptions {
  /** Default: `image-proj` for images, `text-proj` for texts, `multimodal` for both. */
  readonly part?: EmbedPart;
}

const PARTS_OF: Readonly<Record<'images' | 'text' | 'both', readonly EmbedPart[]>> = {
  images: ['image-proj', 'qformer', 'vision'],
  text: ['text-proj', 'text'],
  both: ['multimodal'],
};

/**
 * Checks the arguments of `embed` and returns the kind of features to compute.
 * @throws Blip2Error `INVALID_ARGUMENT`, `UNKNOWN_OPTION`.
 */
export function expectEmbedInputs(inputs: EmbedInputs, options: EmbedOptions): EmbedPart {
  expectInputs('embed', inputs, ['images', 'text']);
  expectKnownOptions('embed', options, [...RETRIEVAL_OPTIONS, 'part']);
  const { part, ...imageOptions } = options;
  expectImageOptions(imageOptions);
  const { images, text } = inputs;
  if (images && !isImageList(images)) throw mustBe('images', 'a list of images', images);
  if (text) expectTexts('text', text);
  if (!images && !text)
    throw new Blip2Error('INVALID_ARGUMENT', 'inputs must contain images, text or both', { argument: 'inputs' });
  const known = PARTS_OF[images && text ? 'both' : images ? 'images' : 'text'];
  const wanted = part ?? known[0];
  if (!wanted || !known.includes(wanted)) throw mustBe('part', `one of ${known.join(', ')} for these inputs`, part);
  return wanted;
}

/** The features of inputs: one tensor per image, text or pair. */
export async function embedInputs(
  parts: RetrievalTaskParts,
  { images, text }: EmbedInputs,
  wanted: EmbedPart,
  options: RetrievalTaskOptions,
): Promise<Tensor<'float32'>[]> {
  if (images && text) return embedPairs(parts, images, text, options);
  if (images)
    return (await encodeRetrievalImages(parts, images, options)).map((image) => withoutBatch(imagePart(image, wanted)));
  if (wanted === 'text-proj')
    return (await encodeRetrievalTexts(parts, text ?? [], options)).map(({ embeds }) => withoutBatch(embeds));
  return embedTextStates(parts, text ?? [], options);
}

function imagePart({ patches, queries, embeds }: RetrievalImage, part: EmbedPart): Tensor<'float32'> {
  if (part === 'vision') return patches;
  return part === 'qformer' ? queries : embeds;
}

async function embedTextStates(
  parts: RetrievalTaskParts,
  texts: readonly string[],
  { signal }: RetrievalTaskOptions,
): Promise<Tensor<'float32'>[]> {
  const results: Tensor<'float32'>[] = [];
  for (const ids of tokenize(parts, texts)) {
    signal?.throwIfAborted();
    await parts.enter?.();
    const { lastHiddenState } = await parts.qformer.read({ inputIds: [ids] }, NO_OUTPUTS);
    results.push(withoutBatch(expectFinite('Q-Former', lastHiddenState)));
  }
  return results;
}

async function embedPairs(
  parts: RetrievalTaskParts,
  images: readonly ImageSource[],
  texts: readonly string[],
  options: RetrievalTaskOptions,
): Promise<Tensor<'float32'>[]> {
  if (images.length !== texts.length)
    throw new Blip2Error(
      'INVALID_ARGUMENT',
      `text must have one entry per image, got ${texts.length} for ${images.length}`,
      {
        argument: 'text',
      },
    );
  const rows = tokenize(parts, texts);
  const encoded = await encodeRetrievalImages(parts, images, options);
  const results: Tensor<'float32'>[] = [];
  for (const [index, { patches }] of encoded.entries()) {
    options.signal?.throwIfAborted();
    const ids = rows[index] ?? [];
    const queries = await parts.qformer.query(patches, { inputIds: [ids], attentionMask: onesMask(1, ids.length) });
    results.push(withoutBatch(expectFinite('Q-Former', queries)));
  }
  return results;
}

function withoutBatch({ dims, data }: Tensor<'float32'>): Tensor<'float32'> {
  return { type: 'float32', dims: dims.slice(1), data };
}
