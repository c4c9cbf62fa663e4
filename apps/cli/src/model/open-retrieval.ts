import { Blip2Retrieval, createBlip2Retrieval, openCheckpointParts, type LoadOptions } from '@blip2/blip2';

type Options = LoadOptions & { readonly signal: AbortSignal };

/** The tasks of a retrieval checkpoint; with a module, behind the encoder that it has. */
export async function openRetrieval(source: string, module: string | undefined, options: Options): Promise<Blip2Retrieval> {
  return module === undefined ? Blip2Retrieval.fromPretrained(source, options) : openWithModule(source, module, options);
}

async function openWithModule(source: string, file: string, options: Options): Promise<Blip2Retrieval> {
  const { givenSeeingParts } = await import('../module/given-parts.ts');
  // The checkpoint's parts are cheap until they run: what is replaced is never loaded.
  const opened: AsyncDisposable[] = [];
  const dispose = async (): Promise<void> => {
    for (const each of opened.splice(0).reverse()) await each[Symbol.asyncDispose]();
  };
  try {
    const parts = await openCheckpointParts(source, options);
    opened.push(parts);
    const { model, processor, ...own } = await Blip2Retrieval.fromPretrained(parts.folder, options);
    opened.push(own);
    const { folder, config } = parts;
    const given = await givenSeeingParts(file, ['vision'], async () => ({ folder, config, parts, processor, signal: options.signal }));
    opened.push(given);
    return createBlip2Retrieval({ ...model, processor, visionModel: given.parts.vision ?? model.visionModel }, dispose);
  } catch (error) {
    await dispose();
    throw error;
  }
}
