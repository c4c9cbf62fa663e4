import {
  type AttentionMask,
  Blip2Error,
  defined,
  expectFinite,
  type ImageSource,
  type PatchFeatures,
  pickRows,
  type PixelValues,
  type QueryFeatures,
  type TokenIds,
  type VisionEncoder,
} from '@blip2/interfaces';
import { type Blip2Processor, expectFloatSettings } from '@blip2/processor';
import { firstPositions, type RetrievalEmbeds } from '@blip2/qformer';

import { expectTexts } from '../images/image-list.ts';
import type { QueueTurn } from '../lifetime/call-queue.ts';
import { encodePatches } from '../pipeline/encode-patches.ts';
import { expectKnownTokens } from '../pipeline/known-tokens.ts';
import type { RetrievalModelParts } from './blip2-for-image-text-retrieval.ts';
import { firstPosition, type TextEmbeds } from './similarity.ts';

/** The parts that the retrieval tasks run on. Any encoder works whose width the Q-Former accepts. */
export interface RetrievalTaskParts extends Omit<RetrievalModelParts, 'config' | 'visionModel'> {
  /** Pixels `[images, 3, height, width]` → patches, of width `encoderHiddenSize` of the Q-Former. */
  readonly visionModel: VisionEncoder;
  /** Image processor and tokenizer; it must not insert image tokens into texts. */
  readonly processor: Blip2Processor;
  /** Waits for the turn of the call at the model, before each stage that uses it. Absent: calls are not queued. */
  readonly enter?: QueueTurn['enter'];
}

/** How images are decoded, and when to abort. */
export interface RetrievalTaskOptions {
  /** Rotate images upright by their EXIF orientation. Default: true. */
  readonly autoOrient?: boolean;
  /** Fetch images from http(s) URLs. Default: false. */
  readonly allowUrls?: boolean;
  /** Aborts between two batches. */
  readonly signal?: AbortSignal;
}

const TASK: Readonly<Record<keyof RetrievalTaskOptions, true>> = { autoOrient: true, allowUrls: true, signal: true };
/** Names of the options of every retrieval task. */
export const RETRIEVAL_OPTIONS: readonly string[] = Object.keys(TASK);

/** The features of images, computed once for any number of texts. For one image, axis 0 of each is 1. */
export interface RetrievalImage {
  readonly patches: PatchFeatures;
  readonly queries: QueryFeatures;
  readonly embeds: RetrievalEmbeds;
}

/** One text, without padding. */
export interface RetrievalText {
  readonly ids: TokenIds;
  /** `[1, size]`, of length 1. */
  readonly embeds: TextEmbeds;
}

/** Batch sizes: large enough to keep the cores busy, small enough for memory. */
const IMAGE_BATCH = 4;
const TEXT_BATCH = 16;

/** No hidden states and attention maps, whatever the configuration requests. */
export const NO_OUTPUTS = { outputHiddenStates: false, outputAttentions: false } as const;

/** Encodes images for comparison. One that occurs several times (the same object) is encoded once. */
export async function encodeRetrievalImages(
  parts: RetrievalTaskParts,
  images: readonly ImageSource[],
  { autoOrient = true, allowUrls = false, signal }: RetrievalTaskOptions,
): Promise<RetrievalImage[]> {
  const { processor } = parts;
  expectFloatSettings(processor.imageProcessor.settings);
  const distinct = [...new Set(images)];
  const encoded: RetrievalImage[] = [];
  for (const batch of batches(distinct, IMAGE_BATCH)) {
    signal?.throwIfAborted();
    const { pixelValues } = await processor.process(
      { images: batch },
      { autoOrient, allowUrls, ...defined({ signal }) },
    );
    signal?.throwIfAborted();
    await parts.enter?.();
    const { patches, queries, embeds } = await projectImages(parts, pixelValues, signal);
    // Copies, so that one image does not keep the whole batch in memory.
    batch.forEach((_, row) =>
      encoded.push({
        patches: pickRows(patches, [row]),
        queries: pickRows(queries, [row]),
        embeds: pickRows(embeds, [row]),
      }),
    );
  }
  return images.flatMap((image) => encoded[distinct.indexOf(image)] ?? []);
}

/**
 * Patches, queries and unit vectors of a batch of images.
 * @throws Blip2Error `NOT_FINITE` if a part, which may be custom, returns NaN or infinity.
 */
export async function projectImages(
  { visionModel, qformer, visionProjection }: RetrievalTaskParts,
  pixelValues: PixelValues,
  signal?: AbortSignal,
): Promise<RetrievalImage> {
  const patches = expectFinite('vision encoder', await encodePatches(visionModel, pixelValues, defined({ signal })));
  signal?.throwIfAborted();
  const { lastHiddenState } = await qformer.forward({ encoderHiddenStates: patches }, NO_OUTPUTS);
  const queries = expectFinite('Q-Former', lastHiddenState);
  return { patches, queries, embeds: expectFinite('retrieval head', await visionProjection.project(queries)) };
}

/** Encodes texts for comparison. */
export async function encodeRetrievalTexts(
  parts: RetrievalTaskParts,
  texts: readonly string[],
  { signal }: RetrievalTaskOptions,
): Promise<RetrievalText[]> {
  const { qformer, textProjection } = parts;
  const encoded: RetrievalText[] = [];
  for (const batch of batches(tokenize(parts, texts), TEXT_BATCH)) {
    signal?.throwIfAborted();
    await parts.enter?.();
    const states = expectFinite('Q-Former', (await qformer.read(padded(batch), NO_OUTPUTS)).lastHiddenState);
    const projected = await textProjection.project(firstPositions(states, 1));
    const embeds = firstPosition(expectFinite('retrieval head', projected));
    batch.forEach((ids, row) => encoded.push({ ids, embeds: pickRows(embeds, [row]) }));
  }
  return encoded;
}

/**
 * Ids of each text, including special tokens.
 * @throws Blip2Error `SEQUENCE_TOO_LONG` for a text with more tokens than the Q-Former has positions;
 * `INVALID_TOKENIZER`
 * for ids that the Q-Former does not have.
 */
export function tokenize(
  { processor, qformer }: Pick<RetrievalTaskParts, 'processor' | 'qformer'>,
  texts: readonly string[],
): readonly TokenIds[] {
  expectTexts('text', texts);
  const { maxPositionEmbeddings, vocabSize } = qformer.config;
  const { inputIds } = processor.tokenizer.batchEncode(texts, { escapeSpecialTokens: true });
  inputIds.forEach((ids, index) => {
    if (ids.length > maxPositionEmbeddings) throw textTooLong(texts[index] ?? '', ids.length, maxPositionEmbeddings);
  });
  expectKnownTokens(inputIds, vocabSize);
  return inputIds;
}

/** Maximum length of a text in a message, in UTF-16 code units. */
const MAX_SHOWN_LENGTH = 40;

function textTooLong(text: string, length: number, positions: number): Blip2Error {
  return new Blip2Error('SEQUENCE_TOO_LONG', 'The text has more tokens than the Q-Former has positions', {
    argument: 'text',
    where: JSON.stringify(text.length > MAX_SHOWN_LENGTH ? `${text.slice(0, MAX_SHOWN_LENGTH)}…` : text),
    expected: `at most ${positions} tokens`,
    got: String(length),
    fix: 'Shorten the text',
  });
}

/** Rows padded on the right to equal length, since text positions start at 0. The padding ids are masked. */
export function padded(rows: readonly TokenIds[]): {
  readonly inputIds: readonly TokenIds[];
  readonly attentionMask: AttentionMask;
} {
  const length = Math.max(...rows.map((row) => row.length));
  const pad = (row: TokenIds): TokenIds => [...row, ...new Array<number>(length - row.length).fill(0)];
  return { inputIds: rows.map(pad), attentionMask: rows.map((row) => pad(row.map(() => 1))) };
}

/** Consecutive groups of at most `size` items. */
export function batches<T>(items: readonly T[], size: number): T[][] {
  return Array.from({ length: Math.ceil(items.length / size) }, (_, index) =>
    items.slice(index * size, (index + 1) * size),
  );
}
