import { sequenceLogProbs } from '@blip2/generate';
import { defined, expectFinite, expectKnownOptions, mustBe, type PixelValues } from '@blip2/interfaces';

import { createEncodedImages } from '../images/encoded-image.ts';
import type { TaskTools } from '../images/task-images.ts';
import { DisposalStack } from '../lifetime/disposal-stack.ts';
import type { Blip2Pipeline } from '../pipeline/blip2-pipeline.ts';
import {
  encodeRetrievalTexts,
  padded,
  projectImages,
  type RetrievalTaskParts,
  tokenize,
} from '../retrieval/encode-retrieval-inputs.ts';
import { classifyQueries } from '../retrieval/score-pairs.ts';
import { bestCosines } from '../retrieval/similarity.ts';
import { candidateIds } from '../tasks/rank-answers.ts';
import { openPrompt, type PromptTokens, tokenizePrompts } from '../tasks/task-prompt.ts';

/** One number per image of a batch `[batch, 3, height, width]`. */
export type ImageScore = (
  pixelValues: PixelValues,
  options: { readonly signal?: AbortSignal },
) => Promise<readonly number[]>;

/**
 * Scores each image by the matching head: the log-odds that image and text match. Unlike the probability, they do not
 * saturate.
 * @throws Blip2Error `INVALID_ARGUMENT` for an empty text; `SEQUENCE_TOO_LONG` beyond the positions of the Q-Former.
 */
export function matchScore(parts: RetrievalTaskParts, text: string): ImageScore {
  const { visionModel, qformer, itmHead } = parts;
  const [ids = []] = tokenize(parts, [expectText(text)]);
  return async (pixelValues, { signal }) => {
    const patches = expectFinite('vision encoder', await visionModel.encode(pixelValues));
    signal?.throwIfAborted();
    const [count] = patches.dims;
    const rows = Array.from({ length: count }, () => ids);
    const { data } = await classifyQueries(itmHead, await qformer.query(patches, padded(rows)));
    return Array.from({ length: count }, (_, row) => (data[2 * row + 1] ?? NaN) - (data[2 * row] ?? NaN));
  };
}

/**
 * Scores each image by its cosine with the text (ITC), from features that are computed independently of each other.
 * @throws Blip2Error `INVALID_ARGUMENT` for an empty text; `SEQUENCE_TOO_LONG` beyond the positions of the Q-Former.
 */
export function contrastScore(parts: RetrievalTaskParts, text: string): ImageScore {
  tokenize(parts, [expectText(text)]);
  return async (pixelValues, { signal }) => {
    const [encoded] = await encodeRetrievalTexts(parts, [text], {});
    const { embeds } = await projectImages(parts, pixelValues, signal);
    return encoded ? [...bestCosines(embeds, encoded.embeds).data] : [];
  };
}

/**
 * Scores each image by the natural log-probability that the language model generates this text and ends, as a caption
 * or, after a prompt, as an answer.
 * @throws Blip2Error `INVALID_ARGUMENT` for an empty text.
 */
export function likelihoodScore(
  tools: TaskTools & { readonly pipeline: Blip2Pipeline },
  text: string,
  options: { readonly prompt?: string } = {},
): ImageScore {
  expectKnownOptions('likelihoodScore', options, ['prompt']);
  const { prompt } = options;
  const { pipeline } = tools;
  const ids = candidateIds(tools, prompt ?? '', expectText(text));
  const promptTokens = (rows: number): PromptTokens | undefined =>
    prompt === undefined ? undefined : tokenizePrompts(tools, new Array<string>(rows).fill(prompt));
  return async (pixelValues, { signal }) => {
    // The images are not disposed of: they hold a decoding only if they are kept for later.
    const images = createEncodedImages(pipeline, await pipeline.encodeImages(pixelValues));
    signal?.throwIfAborted();
    await using resources = new DisposalStack();
    const rows = { images, tokens: promptTokens(images.length), areKept: false };
    const { prompt: opened } = await openPrompt(tools, rows, resources);
    const scored = await sequenceLogProbs(pipeline.language, opened, [ids], defined({ signal }));
    return scored.map(([score]) => score?.sum ?? NaN);
  };
}

function expectText(text: string): string {
  if (typeof text !== 'string' || text.trim() === '') throw mustBe('text', 'a non-empty text', text);
  return text;
}
