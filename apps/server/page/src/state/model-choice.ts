import type { Capability, ServerModel } from '../api/types.ts';
import type { Settings } from './settings.ts';

/** What the views need a model for. */
export type Task = 'write' | 'rank' | 'match' | 'embed';

/** The capability that each task needs, and what the other models lack. */
const NEEDS: Readonly<Record<Task, { readonly capability: Capability; readonly lack: string; readonly fix: string }>> =
  {
    write: {
      capability: 'completion',
      lack: 'Retrieval models match texts, but generate none.',
      fix: 'Start the server with a generation model, such as blip2-opt-2.7b.',
    },
    rank: {
      capability: 'rank',
      lack: 'Retrieval models have no language model that could rank answers.',
      fix: 'Start the server with a generation model, such as blip2-opt-2.7b.',
    },
    match: {
      capability: 'match',
      lack: 'Generation models describe images, but have no score for how well a text matches.',
      fix: 'Start the server with a retrieval model too: --model itm=Salesforce/blip2-itm-vit-g.',
    },
    embed: {
      capability: 'embedding',
      lack: 'Generation models have no features that images and texts share.',
      fix: 'Start the server with a retrieval model too: --model itm=Salesforce/blip2-itm-vit-g.',
    },
  };

/** The model of a task, or why there is none. */
export type ModelChoice =
  | { readonly model: ServerModel; readonly problem?: undefined }
  | { readonly model?: undefined; readonly problem: string };

/** Whether a model supports a task. Those that the server does not know yet might. */
export function supports({ capabilities }: ServerModel, task: Task): boolean {
  return capabilities?.includes(NEEDS[task].capability) ?? true;
}

/** The chosen model of a task if it supports it, else the first one that is known to, else one that might. */
export function modelFor(task: Task, models: readonly ServerModel[], settings: Settings): ModelChoice {
  const wanted = task === 'write' || task === 'rank' ? settings.textModel : settings.matchModel;
  const able = models.filter((model) => supports(model, task));
  const model = able.find(({ id }) => id === wanted) ?? able.find(({ capabilities }) => capabilities) ?? able[0];
  if (model) return { model };
  const { lack, fix } = NEEDS[task];
  return { problem: models.length === 0 ? 'The models of the server are not known yet.' : `${lack} ${fix}` };
}

/** The demo checkpoints of the package, which know drawn shapes only. */
const DEMO = /^blip2-(?:opt|t5|itm)-shapes$/;

export function isDemo(model: ServerModel): boolean {
  return DEMO.test(model.id);
}
