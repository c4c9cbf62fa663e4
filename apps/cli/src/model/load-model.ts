import type { RankedAnswer } from '@blip2/blip2';
import { defined } from '@blip2/interfaces';
import { resizingOf } from '@blip2/processor';

import type { ModuleModel } from '../module/load-with-module.ts';
import { DEFAULT_ISOLATE } from '../options/common-options.ts';
import { dtypeOption } from '../options/dtype.ts';
import type { LoadModel, TaskModel } from './model-port.ts';

/** Loads a generation checkpoint. By default, inference runs on a worker thread, so that Ctrl-C is handled. */
export const loadModel: LoadModel = async (source, { dtype, module, isolate = DEFAULT_ISOLATE, ...settings }) => {
  const options = { ...settings, ...dtypeOption(dtype), isolate } as const;
  if (module !== undefined) {
    const custom = await (await import('../module/import-module.ts')).importModule(module);
    const { loadWithModule } = await import('../module/load-with-module.ts');
    if (custom) return tasksOf(await loadWithModule(source, custom, module, options));
  }
  const { loadImageTasks } = await import('@blip2/blip2');
  const blip2 = await loadImageTasks(source, options);
  return tasksOf({ blip2, extensions: {}, templates: {}, dispose: blip2.dispose });
};

function tasksOf({
  blip2,
  extensions,
  templates: { questionTemplate, chatTemplate },
  dispose,
}: ModuleModel): TaskModel {
  const question = defined({ template: questionTemplate });
  return {
    caption: (images, { generation, prompt, signal }) =>
      blip2.caption(images, { ...generation, ...extensions, ...defined({ prompt }), signal }),
    async ask(items, { generation, rawPrompt, signal }) {
      const pairs = items.flatMap(({ image, questions }) => questions.map((text) => ({ image, text })));
      const results = await blip2.answer(
        pairs.map(({ image }) => image),
        pairs.map(({ text }) => text),
        { ...generation, ...extensions, ...question, rawPrompt, signal },
      );
      const remaining = results.values();
      return items.map(({ questions }) => questions.flatMap(() => remaining.next().value ?? []));
    },
    streamCaption: (image, { generation, prompt, signal }) =>
      blip2.caption(image, { ...generation, ...extensions, ...defined({ prompt }), signal }),
    streamAnswer: (image, text, { generation, rawPrompt, signal }) =>
      blip2.answer(image, text, { ...generation, ...extensions, ...question, rawPrompt, signal }),
    async rank(items, candidates, { rawPrompt, perToken, signal }) {
      const results: (readonly RankedAnswer[])[][] = [];
      for (const { image, questions } of items) {
        await using encoded = await blip2.encode(image, { signal });
        const ranked: (readonly RankedAnswer[])[] = [];
        for (const text of questions)
          ranked.push(
            await blip2.rank(encoded, text, candidates, {
              ...question,
              rawPrompt,
              rankBy: perToken ? 'logProbPerToken' : 'logProb',
              signal,
            }),
          );
        results.push(ranked);
      }
      return results;
    },
    // This signal only aborts starting the conversation; each answer has its own.
    chat: (image, { generation, signal }) =>
      blip2.chat(image, { ...generation, ...extensions, ...defined({ template: chatTemplate }), signal }),
    resizing: resizingOf(blip2.processor.imageProcessor),
    [Symbol.asyncDispose]: dispose,
  };
}
