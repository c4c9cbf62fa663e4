import { sequenceLogProbs } from '@blip2/generate';
import { Blip2Error, type PixelValues } from '@blip2/interfaces';

import type { Blip2Pipeline } from '../pipeline/blip2-pipeline.ts';
import {
  encodeTexts as encodeRetrievalTexts,
  padded,
  type RetrievalTaskParts,
  tokenize,
} from '../retrieval/encode-inputs.ts';
import { bestCosines } from '../retrieval/similarity.ts';
import { createEncodedImages } from '../tasks/encoded-image.ts';
import { candidateIds } from '../tasks/rank-answers.ts';
import type { TaskTools } from '../tasks/task-images.ts';
import { encodeTexts, openPrompt } from '../tasks/task-prompt.ts';

/** One number per image of a batch `[batch, 3, height, width]`. */
export type ImageScore = (
  pixelValues: PixelValues,
  options: { readonly signal?: AbortSignal },
) => Promise<readonly number[]>;

/**
 * Scores each image by what the matching head says of it and the text: the log-odds that they match, which, other than
 * the probability, does not saturate. @throws Blip2Error `INVALID_ARGUMENT` for an empty text.
 */
export function matchScore(parts: RetrievalTaskParts, text: string): ImageScore {
  const { visionModel, qformer, itmHead } = parts;
  const [ids = []] = tokenize(parts, [expectText(text)]);
  return async (pixelValues, { signal }) => {
    const patches = await visionModel.encode(pixelValues);
    signal?.throwIfAborted();
    const { data } = await itmHead.classify(await qformer.query(patches, padded(patchRows(patches.dims[0], ids))));
    return Array.from({ length: patches.dims[0] }, (_, row) => (data[2 * row + 1] ?? NaN) - (data[2 * row] ?? NaN));
  };
}

/**
 * Scores each image by its cosine with the text (ITC): of features that were computed without seeing each other.
 * @throws Blip2Error `INVALID_ARGUMENT` for an empty text.
 */
export function contrastScore(parts: RetrievalTaskParts, text: string): ImageScore {
  const { visionModel, qformer, visionProjection } = parts;
  expectText(text);
  return async (pixelValues, { signal }) => {
    const [encoded] = await encodeRetrievalTexts(parts, [text], {});
    const patches = await visionModel.encode(pixelValues);
    signal?.throwIfAborted();
    const { lastHiddenState } = await qformer.forward(
      { encoderHiddenStates: patches },
      { outputHiddenStates: false, outputAttentions: false },
    );
    const images = await visionProjection.project(lastHiddenState);
    return encoded ? [...bestCosines(images, encoded.embeds).data] : [];
  };
}

/**
 * Scores each image by the natural log-probability with which the language model would write this text, and end, as its
 * caption or, behind a prompt, as the answer. @throws Blip2Error `INVALID_ARGUMENT` for an empty text.
 */
export function writingScore(
  tools: TaskTools & { readonly pipeline: Blip2Pipeline },
  text: string,
  { prompt }: { readonly prompt?: string } = {},
): ImageScore {
  const { pipeline } = tools;
  const ids = candidateIds(tools, prompt ?? '', expectText(text));
  const texts = (rows: number): ReturnType<typeof encodeTexts> | undefined =>
    prompt === undefined ? undefined : encodeTexts(tools, new Array<string>(rows).fill(prompt));
  return async (pixelValues, { signal }) => {
    // Nothing to dispose of: they hold a decoding only where images are kept for later.
    const images = createEncodedImages(pipeline, await pipeline.encodeImages(pixelValues));
    signal?.throwIfAborted();
    await using opened = await openPrompt(tools, images, texts(images.length), false);
    const rows = await sequenceLogProbs(pipeline.language, opened.prompt, [ids], signal ? { signal } : {});
    return rows.map(([scored]) => scored?.sum ?? NaN);
  };
}

function expectText(text: string): string {
  if (text.trim() === '') throw new Blip2Error('INVALID_ARGUMENT', 'A text is empty', { where: 'text' });
  return text;
}

function patchRows(rows: number, ids: readonly number[]): (readonly number[])[] {
  return Array.from({ length: rows }, () => ids);
}
