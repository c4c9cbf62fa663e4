import { type EmbeddingModelV3, type LanguageModelV3, NoSuchModelError, type ProviderV3 } from '@ai-sdk/provider';
import {
  Blip2Retrieval,
  type ImageTasks,
  type LoadedOnce,
  loadImageTasks,
  loadOnce,
  type LoadOptions,
} from '@blip2/blip2';

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
  const generation = loadedSources<ImageTasks>((source) => loadImageTasks(source, options));
  const retrieval = loadedSources<Blip2Retrieval>((source) => Blip2Retrieval.fromPretrained(source, options));
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

/** Each checkpoint is loaded once. */
interface LoadedSources<Tasks> {
  load(source: string): Promise<Tasks>;
  dispose(): Promise<void>;
}

function loadedSources<Tasks extends AsyncDisposable>(
  loadFrom: (source: string) => Promise<Tasks>,
): LoadedSources<Tasks> {
  const loaded = new Map<string, LoadedOnce<Tasks>>();
  return {
    load(source) {
      const known = loaded.get(source) ?? loadOnce(() => loadFrom(source));
      loaded.set(source, known);
      return known.load();
    },
    async dispose() {
      const all = [...loaded.values()];
      loaded.clear();
      await Promise.all(all.map((each) => each.dispose()));
    },
  };
}
