import { Blip2Retrieval, createBlip2Retrieval, type LoadOptions, openCheckpointParts } from '@blip2/blip2';

import { withDisposableStack } from '../module/disposable-stack.ts';

type Options = LoadOptions & { readonly signal: AbortSignal };

/** Opens a retrieval checkpoint, with the vision encoder of a module if one is given. */
export async function openRetrieval(
  source: string,
  module: string | undefined,
  options: Options,
): Promise<Blip2Retrieval> {
  return module === undefined
    ? Blip2Retrieval.fromPretrained(source, options)
    : openWithModule(source, module, options);
}

async function openWithModule(source: string, file: string, options: Options): Promise<Blip2Retrieval> {
  const { loadModuleParts } = await import('../module/load-module-parts.ts');
  return withDisposableStack(async ({ use, disposeAsync }) => {
    // Parts are loaded when they first run, so replaced ones are never loaded.
    const parts = use(await openCheckpointParts(source, options));
    const { model, processor } = use(await Blip2Retrieval.fromPretrained(source, options));
    const { folder, config } = parts;
    const { signal } = options;
    const createContext = async () => ({ folder, config, parts, processor, signal }) as const;
    const loaded = use(await loadModuleParts(file, ['vision'], createContext));
    const visionModel = loaded.parts.vision ?? model.visionModel;
    return createBlip2Retrieval({ ...model, processor, visionModel }, disposeAsync);
  });
}
