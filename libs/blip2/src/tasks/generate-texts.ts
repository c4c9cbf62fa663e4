import { generateSteps, runAhead } from '@blip2/generate';

import { isEncoded, type KeptImage, type TaskImage } from '../images/encoded-image.ts';
import { encodeTaskImages, type ImageTools } from '../images/task-images.ts';
import { DisposalStack } from '../lifetime/disposal-stack.ts';
import { DEFAULT_NEW_TOKENS, splitOptions } from './split-options.ts';
import { resultsOf, type StartGeneration, type TaskGeneration, textDecoder } from './task-generation.ts';
import type { TaskOptions } from './task-options.ts';
import { openPrompt, tokenizePrompts } from './task-prompt.ts';
import type { TextResult } from './text-result.ts';

/** An image and the text that the model continues; without text it describes the image. */
export interface ImageText {
  readonly image: TaskImage<KeptImage>;
  readonly text: string | undefined;
}

/** Generates one text per row, all rows in one batch. */
export async function generateTexts(
  tools: ImageTools,
  rows: readonly ImageText[],
  options: TaskOptions,
): Promise<TextResult[]> {
  if (rows.length === 0) return [];
  await using resources = new DisposalStack();
  const started = await startTexts(tools, rows, options)(resources);
  for await (const { tokens } of started.generation) for (const token of tokens) started.onToken?.(token);
  return resultsOf(started, textDecoder(tools.processor));
}

/**
 * Starts the generation of one text per row, all rows in one batch. An image that occurs several times is encoded, and
 * prefilled by causal models, once.
 */
export function startTexts(tools: ImageTools, rows: readonly ImageText[], options: TaskOptions): StartGeneration {
  return async (resources): Promise<TaskGeneration> => {
    const { generation, imageOptions, onToken } = splitOptions(options);
    const { pipeline, processor } = tools;
    const begin = performance.now();
    const prompts = rows.flatMap(({ text }) => text ?? []);
    const tokens = prompts.length > 0 ? tokenizePrompts(tools, prompts) : undefined;
    const tokenization = performance.now() - begin;
    const images = resources.use(
      await encodeTaskImages(
        tools,
        rows.map(({ image }) => image),
        imageOptions,
      ),
    );
    options.signal?.throwIfAborted();
    await tools.enter?.();
    const startedAt = performance.now();
    const areKept = rows.every(({ image }) => isEncoded(image));
    const { prompt, keep } = await openPrompt(tools, { images: images.rows, tokens, areKept }, resources);
    const decode = textDecoder(processor);
    const steps = generateSteps(pipeline.language, prompt, generation, {
      decode,
      defaultNewTokens: DEFAULT_NEW_TOKENS,
    });
    const texts = tools.isBatched === true ? runAhead(steps) : steps;
    // A beam search leaves several rows; a description without a prompt has nothing to continue but the image.
    if (keep && tokens && (generation.numBeams ?? 1) === 1)
      resources.defer(async () => {
        const [ids = []] = texts.output().sequences;
        // The text is complete: that it cannot be kept is no failure.
        if (options.signal?.aborted !== true) await keep(ids).catch(() => undefined);
      });
    return {
      generation: texts,
      before: { preprocess: tokenization + images.preprocess, encode: images.encode },
      startedAt,
      onToken,
    };
  };
}
