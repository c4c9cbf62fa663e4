import type { LanguageModel, VisionEncoder } from '@blip2/interfaces';

import type { LoadOptions } from './load-options.ts';

interface SeeingAndWriting {
  readonly pipeline: { readonly vision: VisionEncoder; readonly language: LanguageModel };
}

/**
 * The model, once it is put together. Parts in threads of their own then get ready at once, before they are needed.
 * What goes wrong is left to the first use, which meets it again
 * and can say so.
 */
export async function preparedAhead<Model extends SeeingAndWriting>(
  assembling: Promise<Model>,
  { isolate }: Pick<LoadOptions, 'isolate'>,
): Promise<Model> {
  const model = await assembling;
  if (isolate === 'worker')
    for (const part of [model.pipeline.vision, model.pipeline.language]) part.prepare?.().catch(() => undefined);
  return model;
}
