import { defined } from '@blip2/interfaces';
import type { CheckpointLanguageModel } from '@blip2/language';
import type { CheckpointVisionEncoder } from '@blip2/vision';

import { resolvePart } from '../adapters/resolved-model.ts';
import { isolationOf } from '../parts/checkpoint-parts.ts';
import { type LoadOptions, partOptions } from '../parts/load-options.ts';
import { createModelHosts, languageLoader, visionLoaders } from '../parts/model-hosts.ts';
import { partLoaders, PRECISION_OF } from '../parts/part-loaders.ts';

interface Parts {
  readonly loadVision: CheckpointVisionEncoder;
  readonly loadLanguageModel: CheckpointLanguageModel;
}

/** Loads a part that is alone in its folder, where the options say. Disposing of it ends its worker, if given too. */
export async function openPart<Name extends keyof Parts>(
  name: Name,
  folder: string,
  options: LoadOptions,
): Promise<{ readonly part: Parts[Name]; dispose(): Promise<void> }> {
  const isolate = isolationOf(options);
  const { adapters } = await resolvePart(folder, options);
  const { signal } = options;
  const forPart = { ...partOptions(options)(PRECISION_OF[name]), ...defined({ signal }), adapters };
  if (isolate === 'inline') {
    const part = (await partLoaders[name](folder, forPart)) as Parts[Name];
    return { part, dispose: () => part.dispose() };
  }
  const hosts = options.hosts ?? createModelHosts(isolate);
  const dispose = (): Promise<void> => hosts[Symbol.asyncDispose]();
  try {
    const isLanguage = name === 'loadLanguageModel';
    const host = isLanguage ? hosts.language : hosts.vision;
    const { href: module } = isLanguage ? languageLoader() : visionLoaders();
    return { part: await host.create<Parts[Name]>({ module, export: name, args: [folder, forPart] }), dispose };
  } catch (error) {
    // Hosts of the caller stay the caller's if loading fails.
    if (!options.hosts) await dispose();
    throw error;
  }
}
