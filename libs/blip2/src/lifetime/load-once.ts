import { lazyPromise } from './lazy-promise.ts';

/** A model that is loaded when it is first needed. */
export interface LoadedOnce<Model extends AsyncDisposable> {
  /** The model. The first call loads it; if that fails, the next call tries again. */
  load(): Promise<Model>;
  /** Disposes of the model if it was loaded, or is being loaded. It cannot be used afterwards. */
  dispose(): Promise<void>;
}

/** Loads a model once, with the first call that needs it. */
export function loadOnce<Model extends AsyncDisposable>(create: () => Promise<Model>): LoadedOnce<Model> {
  const model = lazyPromise(create);
  let loading: Promise<Model> | undefined;
  return {
    load: () => (loading = model()),
    async dispose() {
      const loaded = await loading?.catch(() => undefined);
      await loaded?.[Symbol.asyncDispose]();
    },
  };
}
