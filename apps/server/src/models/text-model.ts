import type { Blip2, ImageTasks, InstructBlip, KeptImage } from '@blip2/blip2';
import { fittingTokens, type ImagePrompt, promptLength, promptText } from '@blip2/blip2/messages';
import { defined } from '@blip2/interfaces';
import { resizingOf } from '@blip2/processor';

import { noHeatmap, textHeatmap } from '../heatmap/model-heatmaps.ts';
import { partRunner } from './part-runner.ts';
import type { TextModel } from './served-model.ts';

/** A BLIP-2 checkpoint with a language model, served by its tasks. */
export function blip2TextModel(blip2: Blip2): TextModel {
  const { vision, qformer, projection } = blip2.pipeline;
  const parts = partRunner(vision.imageSize, [
    { name: 'vision', run: (values) => vision.encode(values) },
    { name: 'qformer', run: (values) => qformer.query(values) },
    { name: 'projection', run: (values) => projection.project(values) },
  ]);
  const { batching } = blip2;
  return textModel(blip2 as ImageTasks<KeptImage>, { parts, heatmap: textHeatmap(blip2), batching });
}

/** An InstructBLIP checkpoint, served by its tasks. Its Q-Former needs an instruction: only the encoder runs alone. */
export function instructBlipTextModel(blip2: InstructBlip): TextModel {
  const { vision } = blip2.pipeline;
  const parts = partRunner(vision.imageSize, [{ name: 'vision', run: (values) => vision.encode(values) }]);
  return textModel(blip2 as ImageTasks<KeptImage>, { parts, heatmap: noHeatmap, batching: blip2.batching });
}

function textModel(tasks: ImageTasks<KeptImage>, own: Pick<TextModel, 'parts' | 'heatmap' | 'batching'>): TextModel {
  const { processor, prompts } = tasks;
  const promptTokens = (image: KeptImage, prompt: ImagePrompt): number =>
    promptLength(processor, image, promptText(prompts, prompt));

  return {
    kind: 'text',
    ...own,
    resizing: resizingOf(processor.imageProcessor),
    promptTokens,
    encode: (image, options) => tasks.encode(image, options),
    write(image, prompt, { maxNewTokens, ...options }) {
      const tokens = promptTokens(image, prompt);
      const settings = { ...options, ...defined({ maxNewTokens: fittingTokens(image, tokens, maxNewTokens) }) };
      const { question } = prompt;
      const stream =
        question === undefined
          ? tasks.caption(image, settings)
          : tasks.answer(image, promptText(prompts, prompt) ?? '', { ...settings, rawPrompt: true });
      return { stream, promptTokens: tokens };
    },
    rank(image, prompt, candidates, { signal }) {
      const text = prompt.question === undefined ? null : (promptText(prompts, prompt) ?? null);
      return tasks.rank(image, text, candidates, { rawPrompt: true, signal });
    },
    tokenText: (id) => processor.decode([id], { skipSpecialTokens: false }),
    [Symbol.asyncDispose]: () => tasks.dispose(),
  };
}
