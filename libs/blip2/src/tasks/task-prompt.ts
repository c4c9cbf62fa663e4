import type { GenerationPrompt } from '@blip2/generate';
import type { AttentionMask, Decoding, TokenIds } from '@blip2/interfaces';

import type { VisualPrefix } from '../pipeline/blip2-pipeline.ts';
import type { KeptImage } from './encoded-image.ts';
import { expectKnown } from './known-tokens.ts';
import type { TaskProcessor, TaskTools } from './task-images.ts';

/** Rows of ids, padded, without image tokens. */
interface TextRows {
  readonly ids: readonly TokenIds[];
  readonly attentionMask: AttentionMask;
}

export interface EncodedTexts extends TextRows {
  /** The same in words. */
  readonly texts: readonly string[];
}

/** What a language model is to go on from, and the decoding that belongs to it, if any. */
export interface TaskPrompt extends AsyncDisposable {
  readonly prompt: GenerationPrompt;
}

/**
 * Rows of equal length, padded where the architecture bears it: on the left of a causal model, whose rows must end
 * together. @throws Blip2Error `INVALID_TOKENIZER` for ids that the model does not have.
 */
export function encodeTexts({ pipeline, processor }: TaskTools, texts: readonly string[]): EncodedTexts {
  const paddingSide = pipeline.language.architecture === 'causal' ? 'left' : 'right';
  const { inputIds, attentionMask } = processor.tokenizer.batchEncode(texts, {
    padding: true,
    paddingSide,
    escapeSpecialTokens: true,
  });
  expectKnown(inputIds, pipeline.language.vocabularySize);
  return { ids: inputIds, attentionMask, texts };
}

/** The ids that stand for the features of one image: none in repositories of 2023. */
export function imageIds({ numQueryTokens = 0, imageTokenId = 0 }: TaskProcessor): number[] {
  return new Array<number>(numQueryTokens).fill(imageTokenId);
}

/**
 * Puts images and texts together, row by row; without texts the model describes the image. Where a causal model has
 * read an image before, or is to
 * read it for several rows, its memory of the image is used and only the text is read.
 */
export async function openPrompt(
  tools: TaskTools,
  images: readonly KeptImage[],
  texts: EncodedTexts | undefined,
  areKept: boolean,
): Promise<TaskPrompt> {
  const { pipeline } = tools;
  const rows: TextRows | undefined = texts ?? startTokens(tools, images.length);
  const [first] = images;
  const isOneBatch = images.every(({ batch }) => batch === first?.batch);
  const isWorthIt = areKept || new Set(images).size < images.length;
  const { readPrefix } = first?.batch ?? {};
  if (readPrefix && rows && pipeline.language.architecture === 'causal' && isOneBatch && isWorthIt)
    return continuePrefix(tools, await readPrefix(), images, rows);
  const before = imageIds(tools.processor);
  const { promptIds, ...prompt } = await pipeline.embedPrompt({
    pixelValues: await joinPrefixes(images, texts?.texts),
    ...(texts && {
      inputIds: texts.ids.map((ids) => [...before, ...ids]),
      attentionMask: texts.attentionMask.map((row) => [...before.map(() => 1), ...row]),
    }),
  });
  // Penalties see the prompt of a causal model; a seq2seq model begins with ids of its own.
  return {
    prompt: pipeline.language.architecture === 'causal' ? { ...prompt, promptIds } : prompt,
    async [Symbol.asyncDispose]() {},
  };
}

async function continuePrefix(
  { processor }: TaskTools,
  prefix: Decoding,
  images: readonly KeptImage[],
  { ids, attentionMask }: TextRows,
): Promise<TaskPrompt> {
  const decoding = await prefix.fork();
  try {
    const isPadded = attentionMask.some((row) => row.includes(0));
    await decoding.extend({ ids, ...(isPadded && { attentionMask }), parents: images.map(({ row }) => row) });
  } catch (error) {
    await decoding[Symbol.asyncDispose]();
    throw error;
  }
  const before = imageIds(processor);
  return {
    prompt: { decoding, promptIds: ids.map((row) => [...before, ...row]) },
    [Symbol.asyncDispose]: () => decoding[Symbol.asyncDispose](),
  };
}

/** What stands behind an image without text: the start token, where the model has one. */
function startTokens({ pipeline }: TaskTools, rows: number): TextRows | undefined {
  const { bosTokenId } = pipeline.language.specialTokens;
  if (bosTokenId === undefined) return undefined;
  return {
    ids: Array.from({ length: rows }, () => [bosTokenId]),
    attentionMask: Array.from({ length: rows }, () => [1]),
  };
}

/** What is to be read of the images, each with its text. */
async function joinPrefixes(images: readonly KeptImage[], texts: readonly string[] | undefined): Promise<VisualPrefix> {
  const [first] = images;
  if (first && images.every(({ batch }) => batch === first.batch))
    return first.batch.prefixOf(
      images.map(({ row }) => row),
      texts,
    );
  const prefixes = await Promise.all(
    images.map(({ batch, row }, index) => batch.prefixOf([row], texts?.slice(index, index + 1))),
  );
  const [, queries = 0, size = 0] = prefixes[0]?.dims ?? [];
  const data = new Float32Array(images.length * queries * size);
  prefixes.forEach((prefix, row) => data.set(prefix.data, row * queries * size));
  return { type: 'float32', dims: [images.length, queries, size], data };
}
