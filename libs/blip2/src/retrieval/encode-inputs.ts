import type {
  AttentionMask,
  ImageSource,
  PatchFeatures,
  QueryFeatures,
  TokenIds,
  VisionEncoder,
} from '@blip2/interfaces';
import { type Blip2Processor, expectFloatSettings } from '@blip2/processor';
import { firstPositions, type RetrievalEmbeds } from '@blip2/qformer';

import { expectKnown } from '../tasks/known-tokens.ts';
import type { RetrievalModelParts } from './blip2-for-image-text-retrieval.ts';
import { firstPosition, type TextEmbeds } from './similarity.ts';

/** Everything that the tasks of retrieval run on. Any encoder will do whose width the Q-Former reads. */
export interface RetrievalTaskParts extends Omit<RetrievalModelParts, 'config' | 'visionModel'> {
  /** Pixels `[images, 3, height, width]` → patches, as wide as the Q-Former's `encoderHiddenSize`. */
  readonly visionModel: VisionEncoder;
  /** Image processor and tokenizer, of which texts get no image tokens. */
  readonly processor: Blip2Processor;
}

/** How images are read, and what stops the work. */
export interface RetrievalTaskOptions {
  /** Turn images upright by their EXIF orientation. Default true. */
  readonly autoOrient?: boolean;
  /** Fetch images from http(s) URLs. Default false. */
  readonly allowUrls?: boolean;
  /** Stops between two batches. */
  readonly signal?: AbortSignal;
}

/** One image, computed once for any number of texts. Axis 0 of each is 1. */
export interface EncodedImage {
  readonly patches: PatchFeatures;
  readonly queries: QueryFeatures;
  readonly embeds: RetrievalEmbeds;
}

/** One text, without padding. */
export interface EncodedText {
  readonly ids: TokenIds;
  /** `[1, size]`, of length 1. */
  readonly embeds: TextEmbeds;
}

/** Images and texts that go through a model at a time: enough to keep it busy, little enough to hold. */
const IMAGE_BATCH = 4;
const TEXT_BATCH = 16;

/** Images that occur several times (the same object) are computed once. */
export async function encodeImages(
  parts: RetrievalTaskParts,
  images: readonly ImageSource[],
  { autoOrient = true, allowUrls = false, signal }: RetrievalTaskOptions,
): Promise<EncodedImage[]> {
  const { processor, visionModel, qformer, visionProjection } = parts;
  expectFloatSettings(processor.imageProcessor.settings);
  const distinct = [...new Set(images)];
  const encoded: EncodedImage[] = [];
  for (const batch of batches(distinct, IMAGE_BATCH)) {
    signal?.throwIfAborted();
    const { pixelValues } = await processor.process(
      { images: batch },
      { autoOrient, allowUrls, ...(signal && { signal }) },
    );
    signal?.throwIfAborted();
    const patches = await visionModel.encode(pixelValues);
    const { lastHiddenState: queries } = await qformer.forward(
      { encoderHiddenStates: patches },
      { outputHiddenStates: false, outputAttentions: false },
    );
    const embeds = await visionProjection.project(queries);
    batch.forEach((_, row) =>
      encoded.push({ patches: rowOf(patches, row), queries: rowOf(queries, row), embeds: rowOf(embeds, row) }),
    );
  }
  return images.flatMap((image) => encoded[distinct.indexOf(image)] ?? []);
}

export async function encodeTexts(
  parts: RetrievalTaskParts,
  texts: readonly string[],
  { signal }: RetrievalTaskOptions,
): Promise<EncodedText[]> {
  const { qformer, textProjection } = parts;
  const encoded: EncodedText[] = [];
  for (const batch of batches(tokenize(parts, texts), TEXT_BATCH)) {
    signal?.throwIfAborted();
    const { lastHiddenState } = await qformer.read(padded(batch), {
      outputHiddenStates: false,
      outputAttentions: false,
    });
    const embeds = firstPosition(await textProjection.project(firstPositions(lastHiddenState, 1)));
    batch.forEach((ids, row) => encoded.push({ ids, embeds: rowOf(embeds, row) }));
  }
  return encoded;
}

/**
 * Ids of each text, special tokens included, cut to what the Q-Former reads. @throws Blip2Error `INVALID_TOKENIZER` for
 * ids that it does not have.
 */
export function tokenize({ processor, qformer }: RetrievalTaskParts, texts: readonly string[]): readonly TokenIds[] {
  const { maxPositionEmbeddings, vocabSize } = qformer.config;
  const { inputIds } = processor.tokenizer.batchEncode(texts, {
    truncation: true,
    maxLength: maxPositionEmbeddings,
    escapeSpecialTokens: true,
  });
  expectKnown(inputIds, vocabSize);
  return inputIds;
}

/**
 * Rows of one length, padded on the right: text positions start at 0. What stands in the padding does not matter, the
 * mask hides it.
 */
export function padded(rows: readonly TokenIds[]): {
  readonly inputIds: readonly TokenIds[];
  readonly attentionMask: AttentionMask;
} {
  const length = Math.max(...rows.map((row) => row.length));
  const fill = (row: TokenIds, content: TokenIds): TokenIds => [
    ...content,
    ...new Array<number>(length - row.length).fill(0),
  ];
  return {
    inputIds: rows.map((row) => fill(row, row)),
    attentionMask: rows.map((row) =>
      fill(
        row,
        row.map(() => 1),
      ),
    ),
  };
}

export function batches<T>(items: readonly T[], size: number): T[][] {
  return Array.from({ length: Math.ceil(items.length / size) }, (_, index) =>
    items.slice(index * size, (index + 1) * size),
  );
}

interface Rowed {
  readonly type: 'float32';
  readonly dims: readonly number[];
  readonly data: Float32Array;
}

/** Row `row` as a batch of one. A copy, so that it does not hold the others. */
function rowOf<T extends Rowed>(tensor: T, row: number): T {
  const size = tensor.data.length / (tensor.dims[0] ?? 1);
  return { ...tensor, dims: [1, ...tensor.dims.slice(1)], data: tensor.data.slice(row * size, (row + 1) * size) };
}
