import { Blip2Error } from '@blip2/interfaces';
import { languageFamilies, languageTensors } from '@blip2/language';

import { expectPromptsFit } from '../pipeline/expect-fit.ts';
import type { ModelConfig } from './model-config.ts';

/** A method of `Blip2`, `InstructBlip` or `Blip2Retrieval`. */
export type CheckpointTask =
  'caption' | 'answer' | 'chat' | 'rank' | 'encode' | 'match' | 'retrieve' | 'classify' | 'embed';

/** The tasks of a checkpoint. */
export interface RunnableTasks {
  readonly tasks: readonly CheckpointTask[];
  /** Why prompts with images, and the tasks that need them, are refused; absent if they run. */
  readonly refusal?: Blip2Error;
}

const RETRIEVAL_TASKS: readonly CheckpointTask[] = ['match', 'retrieve', 'classify', 'embed'];
const PROMPT_TASKS: readonly CheckpointTask[] = ['caption', 'answer', 'chat', 'rank'];

/**
 * The tasks that a checkpoint can run by its configuration, with the same rules as when it runs. `hasLanguageModel`
 * tells generation checkpoints from retrieval checkpoints.
 */
export function runnableTasks(
  { textConfig }: Pick<ModelConfig, 'textConfig'>,
  { hasLanguageModel }: { readonly hasLanguageModel: boolean },
): RunnableTasks {
  if (!hasLanguageModel) return { tasks: RETRIEVAL_TASKS };
  try {
    const { hiddenSize: outFeatures } = textConfig;
    const embeddingSize = embeddingSizeOf(textConfig);
    expectPromptsFit({ projection: { outFeatures }, language: { embeddingSize } });
    return { tasks: [...PROMPT_TASKS, 'encode'] };
  } catch (error) {
    if (error instanceof Blip2Error) return { tasks: ['encode'], refusal: error };
    throw error;
  }
}

/** The width of the token embeddings, which every family stores under a name of its own. */
function embeddingSizeOf(textConfig: ModelConfig['textConfig']): number {
  const names = new Set(languageFamilies().flatMap(({ tokenEmbeddings }) => tokenEmbeddings));
  const table = languageTensors(textConfig, '').find(({ name }) => names.has(name.replace(/\.weight$/, '')));
  return table?.shape[1] ?? textConfig.hiddenSize;
}
