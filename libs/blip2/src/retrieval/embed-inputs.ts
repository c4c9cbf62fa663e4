import { Blip2Error, type ImageSource, type Tensor } from '@blip2/interfaces';

import {
  type EncodedImage,
  encodeImages,
  encodeTexts,
  type RetrievalTaskOptions,
  type RetrievalTaskParts,
  tokenize,
} from './encode-inputs.ts';

/** Images, texts, or pairs of them. */
export interface EmbedInputs {
  /** One at least of the two must be given. */
  readonly images?: readonly ImageSource[];
  /** Beside images: the `i`-th text belongs to the `i`-th image. */
  readonly text?: readonly string[];
}

/**
 * Of an image: `vision` the encoder's states `[patches, visionHidden]`, `qformer` the queries' states `[queries,
 * hidden]`, `image-proj` the queries in the space
 * of comparison `[queries, size]`, each of length 1. Of a text: `text` the Q-Former's states `[tokens, hidden]`,
 * `text-proj` one vector `[size]` of length 1, whose dot
 * product with the best row of `image-proj` is the ITC score. Of both: `multimodal` the queries' states after reading
 * image and text `[queries, hidden]`.
 */
export type EmbedPart = 'vision' | 'qformer' | 'image-proj' | 'text' | 'text-proj' | 'multimodal';

/** Which features are given. */
export interface EmbedOptions extends RetrievalTaskOptions {
  /** Default: `image-proj` of images, `text-proj` of texts, `multimodal` of both. */
  readonly part?: EmbedPart;
}

const PARTS_OF: Readonly<Record<'images' | 'text' | 'both', readonly EmbedPart[]>> = {
  images: ['image-proj', 'qformer', 'vision'],
  text: ['text-proj', 'text'],
  both: ['multimodal'],
};

/** One tensor per image, per text, or per pair. */
export async function embedInputs(
  parts: RetrievalTaskParts,
  { images, text }: EmbedInputs,
  { part, ...options }: EmbedOptions,
): Promise<Tensor<'float32'>[]> {
  if (!images && !text)
    throw new Blip2Error('INVALID_ARGUMENT', 'Nothing to embed', { expected: 'images, text or both' });
  const known = PARTS_OF[images && text ? 'both' : images ? 'images' : 'text'];
  const wanted = part ?? known[0];
  if (!wanted || !known.includes(wanted))
    throw new Blip2Error('INVALID_ARGUMENT', 'These inputs have no such part', {
      where: 'part',
      expected: known.join(', '),
      got: String(part),
    });
  if (images && text) return embedPairs(parts, images, text, options);
  if (images)
    return (await encodeImages(parts, images, options)).map((image) => withoutBatch(imagePart(image, wanted)));
  if (wanted === 'text-proj')
    return (await encodeTexts(parts, text ?? [], options)).map(({ embeds }) => withoutBatch(embeds));
  return embedWords(parts, text ?? [], options);
}

function imagePart({ patches, queries, embeds }: EncodedImage, part: EmbedPart): Tensor<'float32'> {
  if (part === 'vision') return patches;
  return part === 'qformer' ? queries : embeds;
}

async function embedWords(
  parts: RetrievalTaskParts,
  texts: readonly string[],
  { signal }: RetrievalTaskOptions,
): Promise<Tensor<'float32'>[]> {
  const results: Tensor<'float32'>[] = [];
  for (const ids of tokenize(parts, texts)) {
    signal?.throwIfAborted();
    results.push(
      withoutBatch(
        (await parts.qformer.read({ inputIds: [ids] }, { outputHiddenStates: false, outputAttentions: false }))
          .lastHiddenState,
      ),
    );
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
    throw new Blip2Error('INVALID_ARGUMENT', 'There must be one text per image', {
      where: 'text',
      expected: String(images.length),
      got: String(texts.length),
    });
  const encoded = await encodeImages(parts, images, options);
  const rows = tokenize(parts, texts);
  const results: Tensor<'float32'>[] = [];
  for (const [index, { patches }] of encoded.entries()) {
    options.signal?.throwIfAborted();
    const ids = rows[index] ?? [];
    results.push(
      withoutBatch(await parts.qformer.query(patches, { inputIds: [ids], attentionMask: [ids.map(() => 1)] })),
    );
  }
  return results;
}

function withoutBatch({ dims, data }: Tensor<'float32'>): Tensor<'float32'> {
  return { type: 'float32', dims: dims.slice(1), data };
}
