import { type EmbeddingModelV3, type LanguageModelV3, NoSuchModelError, type ProviderV3 } from '@ai-sdk/provider';
import { Blip2Retrieval, type ImageTasks, loadImageTasks, type LoadOptions } from '@blip2/blip2';

import { createEmbeddingModel } from './embedding-model.ts';
import { createLanguageModel, type LanguageModelOptions } from './language-model.ts';

/** Options of a provider: how its checkpoints are loaded. */
export interface Blip2ProviderOptions
  extends Omit<LoadOptions, 'signal'>, Pick<LanguageModelOptions, 'allowImageUrls'> {}

/** BLIP-2 checkpoints as models of the AI SDK. A model id is the folder of a checkpoint, or a hub id. */
export interface Blip2Provider extends ProviderV3, AsyncDisposable {
  /** The same as `languageModel`. */
  (modelId: string): LanguageModelV3;
  /** Disposes of every checkpoint that was loaded. */
  dispose(): Promise<void>;
}

/**
 * Creates a provider. A checkpoint is loaded at the first call of one of its models, once.
 * @throws Blip2Error from calls of its models: the codes of `fromPretrained` and of the tasks.
 */
export function createBlip2({ allowImageUrls = false, ...options }: Blip2ProviderOptions = {}): Blip2Provider {
  const generation = loadedOnce<ImageTasks>((source) => loadImageTasks(source, options));
  const retrieval = loadedOnce<Blip2Retrieval>((source) => Blip2Retrieval.fromPretrained(source, options));
  const languageModel = (modelId: string): LanguageModelV3 =>
    createLanguageModel({ modelId, load: () => generation.load(modelId), allowImageUrls });
  const embeddingModel = (modelId: string): EmbeddingModelV3 =>
    createEmbeddingModel({ modelId, load: () => retrieval.load(modelId) });
  const dispose = async (): Promise<void> => {
    await Promise.all([generation.dispose(), retrieval.dispose()]);
  };
  return Object.assign((modelId: string) => languageModel(modelId), {
    specificationVersion: 'v3' as const,
    languageModel,
    embeddingModel,
    textEmbeddingModel: embeddingModel,
    imageModel(modelId: string): never {
      throw new NoSuchModelError({ modelId, modelType: 'imageModel' });
    },
    dispose,
    [Symbol.asyncDispose]: dispose,
  });
}

interface LoadedOnce<Tasks> {
  load(source: string): Promise<Tasks>;
  dispose(): Promise<void>;
}

function loadedOnce<Tasks extends AsyncDisposable>(loadFrom: (source: string) => Promise<Tasks>): LoadedOnce<Tasks> {
  const loading = new Map<string, Promise<Tasks>>();
  return {
    load(source) {
      const known = loading.get(source);
      if (known) return known;
      const tasks = loadFrom(source);
      loading.set(source, tasks);
      // A download that failed can be repeated.
      tasks.catch(() => loading.delete(source));
      return tasks;
    },
    async dispose() {
      const all = [...loading.values()];
      loading.clear();
      await Promise.all(all.map(async (tasks) => (await tasks.catch(() => undefined))?.[Symbol.asyncDispose]()));
    },
  };
}
