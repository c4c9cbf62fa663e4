import { type ImageTasks, loadImageTasks } from '@blip2/blip2';

import type { ModuleModel } from '../module/load-with-module.ts';
import { dtypeOption } from '../options/dtype.ts';
import type { LoadModel, RankedAnswer, TaskModel } from './model-port.ts';
import { resizingOf } from './resizing-of.ts';

/** The library behind the port. Parts live in a worker thread, so that Ctrl-C is heard while they compute. */
export const loadModel: LoadModel = async (source, { dtype, module, ...settings }) => {
  const options = { ...settings, ...dtypeOption(dtype), isolate: 'worker' } as const;
  if (module !== undefined)
    return tasksOf(await (await import('../module/load-with-module.ts')).loadWithModule(source, module, options));
  const blip2 = await loadImageTasks(source, options);
  return tasksOf({ blip2, writing: {}, templates: {}, dispose: blip2.dispose });
};

function tasksOf({
  blip2,
  writing,
  templates: { questionTemplate, chatTemplate },
  dispose,
}: Omit<ModuleModel, 'blip2'> & { readonly blip2: ImageTasks }): TaskModel {
  const asked = questionTemplate ? { template: questionTemplate } : {};
  return {
    caption: (images, { generation, prompt, signal }) =>
      blip2.caption(images, { ...generation, ...writing, ...(prompt !== undefined && { prompt }), signal }),
    async ask(items, { generation, rawPrompt, signal }) {
      const pairs = items.flatMap(({ image, questions }) => questions.map((question) => ({ image, question })));
      const results = await blip2.answer(
        pairs.map(({ image }) => image),
        pairs.map(({ question }) => question),
        { ...generation, ...writing, ...asked, rawPrompt, signal },
      );
      const remaining = results.values();
      return items.map(({ questions }) => questions.flatMap(() => remaining.next().value ?? []));
    },
    streamCaption: (image, { generation, prompt, signal }) =>
      blip2.caption(image, { ...generation, ...writing, ...(prompt !== undefined && { prompt }), signal }),
    streamAnswer: (image, question, { generation, rawPrompt, signal }) =>
      blip2.answer(image, question, { ...generation, ...writing, ...asked, rawPrompt, signal }),
    async rank(items, candidates, { rawPrompt, perToken, signal }) {
      const results: (readonly RankedAnswer[])[][] = [];
      for (const { image, questions } of items) {
        await using encoded = await blip2.encode(image, { signal });
        const ranked: (readonly RankedAnswer[])[] = [];
        for (const question of questions)
          ranked.push(
            await blip2.rank(encoded, question, candidates, {
              ...asked,
              rawPrompt,
              rankBy: perToken ? 'logProbPerToken' : 'logProb',
              signal,
            }),
          );
        results.push(ranked);
      }
      return results;
    },
    // The signal is about opening the conversation; each answer has its own.
    chat: (image, { generation, signal }) =>
      blip2.chat(image, { ...generation, ...writing, ...(chatTemplate && { template: chatTemplate }), signal }),
    resizing: resizingOf(blip2.processor.imageProcessor),
    [Symbol.asyncDispose]: dispose,
  };
}
