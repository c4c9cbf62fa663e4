import type { GenerationPrompt } from '@blip2/generate';
import { type AttentionMask, type Decoding, defined, onesMask, stackRows, type TokenIds } from '@blip2/interfaces';

import { forkPrefix, type KeptImage } from '../images/encoded-image.ts';
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

/**
 * Joins images and prompts row by row. If a causal model has prefilled an image before, or needs it for several rows,
 * its key-value cache is forked and only the text is prefilled. The fork goes to `resources`.
 */
export async function openPrompt(
  tools: TaskTools,
  { images, tokens, areKept }: PromptRows,
  resources: DisposalStack,
): Promise<GenerationPrompt> {
  const { pipeline, processor } = tools;
  const isCausal = pipeline.language.architecture === 'causal';
  const rows: TokenRows | undefined = tokens ?? startTokens(tools, images.length);
  const [first] = images;
  const isOneBatch = images.every(({ batch }) => batch === first?.batch);
  const isPrefixReused = areKept || new Set(images).size < images.length;
  const { readPrefix } = first?.batch ?? {};
  if (readPrefix && rows && isCausal && isOneBatch && isPrefixReused) {
    const decoding = resources.use(await forkPrefix(readPrefix));
    return continuePrefix(processor, decoding, images, rows);
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
  return isCausal ? { ...prompt, promptIds } : prompt;
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
