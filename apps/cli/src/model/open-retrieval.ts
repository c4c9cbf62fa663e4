import { Blip2Retrieval, createBlip2Retrieval, type LoadOptions, openCheckpointParts } from '@blip2/blip2';

import { assemble } from '../module/disposable-stack.ts';

type Options = LoadOptions & { readonly signal: AbortSignal };

/** The tasks of a retrieval checkpoint; with a module, behind the encoder that it has. */
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
  const { givenSeeingParts } = await import('../module/load-module-parts.ts');
  return assemble(async ({ keep, dispose }) => {
    // The checkpoint's parts are cheap until they run: what is replaced is never loaded.
    const parts = keep(await openCheckpointParts(source, options));
    const { model, processor } = keep(await Blip2Retrieval.fromPretrained(parts.folder, options));
    const { folder, config } = parts;
    const given = keep(
      await givenSeeingParts(file, ['vision'], async () => ({
        folder,
        config,
        parts,
        processor,
        signal: options.signal,
      })),
    );
    return createBlip2Retrieval({ ...model, processor, visionModel: given.parts.vision ?? model.visionModel }, dispose);
  });
}
