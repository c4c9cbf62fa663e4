import type { Blip2Parts, ImageTasks, LoadOptions } from '@blip2/blip2';
import { Blip2Token, CheckpointPartsToken, createBlip2Container, ProcessorToken } from '@blip2/blip2/container';
import {
  LanguageModel,
  LanguageProjection,
  type LogitsProcessor,
  QFormer,
  type StoppingCriterion,
  VisionEncoder,
} from '@blip2/interfaces';

import type { Blip2Module, Blip2ModuleContext } from './blip2-module.ts';
import { assemble } from './disposable-stack.ts';
import { importModule } from './import-module.ts';
import { givenParts } from './load-module-parts.ts';

/** A model with something of a module in it, and what its tasks are called with. */
export interface ModuleModel {
  readonly blip2: ImageTasks;
  readonly writing: {
    readonly logitsProcessors?: readonly LogitsProcessor[];
    readonly stoppingCriteria?: readonly StoppingCriterion[];
  };
  readonly templates: Pick<Blip2Module, 'questionTemplate' | 'chatTemplate'>;
  dispose(): Promise<void>;
}

/**
 * The checkpoint with the parts of a module in the places of its own.
 * @throws Blip2Error as `importModule`; `SHAPE_MISMATCH` if a part does not fit its neighbours; whatever the module
 * throws.
 */
export async function loadWithModule(
  source: string,
  file: string,
  options: LoadOptions & { readonly signal: AbortSignal },
): Promise<ModuleModel> {
  const module = await importModule(file);
  return assemble(async ({ keep, dispose }) => {
    const container = keep(await createBlip2Container(source, options));
    const { folder, config, ...parts } = await container.get(CheckpointPartsToken);
    const context: Blip2ModuleContext = {
      folder,
      config,
      parts,
      processor: await container.get(ProcessorToken),
      signal: options.signal,
    };
    const given = keep(await givenParts(module, context, file));
    await replaceParts(container, given.parts);
    const [logitsProcessors, stoppingCriteria] = [
      await module.logitsProcessors?.(context),
      await module.stoppingCriteria?.(context),
    ];
    return {
      blip2: await container.get(Blip2Token),
      writing: { ...(logitsProcessors && { logitsProcessors }), ...(stoppingCriteria && { stoppingCriteria }) },
      templates: module,
      dispose,
    };
  });
}

async function replaceParts(
  container: Awaited<ReturnType<typeof createBlip2Container>>,
  { vision, qformer, projection, language }: Partial<Blip2Parts>,
): Promise<void> {
  if (vision) await container.replace(VisionEncoder, [], () => vision);
  if (qformer) await container.replace(QFormer, [], () => qformer);
  if (projection) await container.replace(LanguageProjection, [], () => projection);
  if (language) await container.replace(LanguageModel, [], () => language);
}
