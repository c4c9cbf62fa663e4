import type { GenerationPrompt } from '@blip2/generate';
import { type AttentionMask, type Decoding, defined, onesMask, stackRows, type TokenIds } from '@blip2/interfaces';

import { type EncodedBatch, forkPrefix, type KeptImage } from '../images/encoded-image.ts';
import { onlyResult } from '../images/image-list.ts';
import type { TaskProcessor, TaskTools } from '../images/task-images.ts';
import type { DisposalStack } from '../lifetime/disposal-stack.ts';
import { expectKnownTokens } from '../pipeline/known-tokens.ts';
import type { VisualPrefix } from '../pipeline/merge-prompt.ts';

/** Padded rows of ids, without image tokens. */
interface TokenRows {
  readonly ids: readonly TokenIds[];
  readonly attentionMask: AttentionMask;
}

/** Prompts as padded rows of ids, without image tokens. */
export interface PromptTokens extends TokenRows {
  /** The prompts as text. */
  readonly texts: readonly string[];
}

/** The images and prompts of a batch, row by row. */
export interface PromptRows {
  readonly images: readonly KeptImage[];
  /** Absent: the model describes the images. */
  readonly tokens: PromptTokens | undefined;
  /** The images outlive the task, so that a key-value cache of them is worth keeping. */
  readonly areKept: boolean;
}

/**
 * Tokenizes prompts to rows of equal length, padded on the left for a causal model, whose rows must end together, and
 * on the right otherwise.
 * @throws Blip2Error `INVALID_TOKENIZER` for ids that the model does not have.
 */
export function tokenizePrompts({ pipeline, processor }: TaskTools, texts: readonly string[]): PromptTokens {
  const paddingSide = pipeline.language.architecture === 'causal' ? 'left' : 'right';
  const { inputIds, attentionMask } = processor.tokenizer.batchEncode(texts, {
    padding: true,
    paddingSide,
    escapeSpecialTokens: true,
  });
  expectKnownTokens(inputIds, pipeline.language.vocabularySize);
  return { ids: inputIds, attentionMask, texts };
}

/** The image tokens of one image: none for legacy checkpoints, which have no image token. */
export function imageIds({ numQueryTokens = 0, imageTokenId = 0 }: TaskProcessor): number[] {
  return new Array<number>(numQueryTokens).fill(imageTokenId);
}

/** A prompt, and how to keep it for later ones. */
export interface OpenedPrompt {
  readonly prompt: GenerationPrompt;
  /** Keeps what has been processed, `newIds` of the answer included, if the image is kept. Call it before disposal. */
  readonly keep?: (newIds: TokenIds) => Promise<void>;
}

/**
 * Joins images and prompts row by row. If a causal model has prefilled an image before, or needs it for several rows,
 * its key-value cache is forked and only the text is prefilled. The fork goes to `resources`.
 */
export async function openPrompt(
  tools: TaskTools,
  { images, tokens, areKept }: PromptRows,
  resources: DisposalStack,
): Promise<OpenedPrompt> {
  const { pipeline, processor } = tools;
  const isCausal = pipeline.language.architecture === 'causal';
  const rows: TokenRows | undefined = tokens ?? startTokens(tools, images.length);
  const [first] = images;
  const isOneBatch = images.every(({ batch }) => batch === first?.batch);
  const isPrefixReused = areKept || first?.batch.states?.isEnabled === true || new Set(images).size < images.length;
  const { readPrefix } = first?.batch ?? {};
  if (readPrefix && rows && isCausal && isOneBatch && isPrefixReused) {
    return continueImages(processor, readPrefix, { images, rows }, resources);
  }
  const before = imageIds(processor);
  const { promptIds, ...prompt } = await pipeline.embedPrompt({
    pixelValues: await joinPrefixes(images, tokens?.texts),
    ...(tokens && {
      inputIds: tokens.ids.map((ids) => [...before, ...ids]),
      attentionMask: tokens.attentionMask.map((row) => [...before.map(() => 1), ...row]),
    }),
  });
  // Penalties apply to the prompt of a causal model; the decoder of a seq2seq model starts with its own ids.
  return { prompt: isCausal ? { ...prompt, promptIds } : prompt };
}

/** Continues images that have been prefilled, or an earlier prompt about the only one. */
async function continueImages(
  processor: TaskProcessor,
  readPrefix: EncodedBatch['readPrefix'],
  { images, rows }: { readonly images: readonly KeptImage[]; readonly rows: TokenRows },
  resources: DisposalStack,
): Promise<OpenedPrompt> {
  const [only, ...others] = images;
  const [ids] = rows.ids;
  const states = others.length === 0 ? only?.batch.states : undefined;
  if (!only || !ids || states?.isEnabled !== true) {
    return { prompt: await continuePrefix(processor, resources.use(await forkPrefix(readPrefix)), images, rows) };
  }
  const { row } = only;
  const known = await states.find(row, ids);
  const decoding = resources.use(known?.decoding ?? (await forkPrefix(readPrefix)));
  if (known) await decoding.extend({ ids: [ids.slice(known.shared)] });
  else await decoding.extend({ ids: [ids], parents: [row] });
  const before = decoding.length - ids.length;
  return {
    prompt: { decoding, promptIds: [[...imageIds(processor), ...ids]] },
    async keep(newIds) {
      // The last token has not been processed. Its position may hold a rejected guess of prompt lookup instead.
      const processed = [...ids, ...newIds.slice(0, -1)].slice(0, decoding.length - before);
      const fork = await decoding.fork();
      await fork.crop(before + processed.length);
      await states.add(row, processed, fork);
    },
  };
}

async function continuePrefix(
  processor: TaskProcessor,
  decoding: Decoding,
  images: readonly KeptImage[],
  { ids, attentionMask }: TokenRows,
): Promise<GenerationPrompt> {
  const isPadded = attentionMask.some((row) => row.includes(0));
  const mask = isPadded ? attentionMask : undefined;
  await decoding.extend({ ids, ...defined({ attentionMask: mask }), parents: images.map(({ row }) => row) });
  const before = imageIds(processor);
  return { decoding, promptIds: ids.map((row) => [...before, ...row]) };
}

/** The prompt after an image without text: the start token, if the model has one. */
function startTokens({ pipeline }: TaskTools, rows: number): TokenRows | undefined {
  const { bosTokenId } = pipeline.language.specialTokens;
  if (bosTokenId === undefined) return undefined;
  return { ids: Array.from({ length: rows }, () => [bosTokenId]), attentionMask: onesMask(rows, 1) };
}

/** The embeddings of the images, each for its prompt. */
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
  return stackRows([onlyResult(prefixes), ...prefixes.slice(1)]);
}
