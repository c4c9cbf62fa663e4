import type { Blip2Parts, ImageTasks, LoadOptions } from '@blip2/blip2';
import {
  type Blip2Container,
  Blip2Token,
  CheckpointPartsToken,
  createBlip2Container,
  InstructBlipToken,
  InstructProcessorToken,
  ProcessorToken,
} from '@blip2/blip2/container';
import { defined, type GenerationOptions, mustBe } from '@blip2/interfaces';
import { LanguageModel, LanguageProjection, QFormer, VisionEncoder } from '@blip2/interfaces';

import type { ModelSource } from '../model/model-source.ts';
import type { Blip2Module, Blip2ModuleContext } from './blip2-module.ts';
import { withDisposableStack } from './disposable-stack.ts';
import { createModuleParts } from './load-module-parts.ts';

/** A model with the components of a module. */
export interface ModuleModel {
  readonly blip2: ImageTasks;
  /** Generation options of the module, for every call. */
  readonly extensions: Pick<GenerationOptions, 'logitsProcessors' | 'stoppingCriteria'>;
  readonly templates: Pick<Blip2Module, 'questionTemplate' | 'chatTemplate'>;
  dispose(): Promise<void>;
}

/**
 * Loads a checkpoint with the parts of a module in place of its own.
 * @throws Blip2Error `SHAPE_MISMATCH` if a part does not fit its neighbours; any error of the
 * module.
 */
export async function loadWithModule(
  source: ModelSource,
  module: Blip2Module,
  file: string,
  options: LoadOptions & { readonly signal: AbortSignal },
): Promise<ModuleModel> {
  return withDisposableStack(async ({ use, disposeAsync }) => {
    const container = use(await createBlip2Container(source, options));
    const { folder, config, ...parts } = await container.get(CheckpointPartsToken);
    const isInstruct = config.modelType === 'instructblip';
    const context: Blip2ModuleContext = {
      folder,
      config,
      parts,
      processor: await container.get(isInstruct ? InstructProcessorToken : ProcessorToken),
      signal: options.signal,
    };
    const created = use(await createModuleParts(module, context, file));
    if (isInstruct && created.parts.qformer)
      throw mustBe(
        'parts().qformer',
        'absent with InstructBLIP, whose Q-Former takes the instruction',
        created.parts.qformer,
      );
    await replaceParts(container, created.parts);
    const extensions = defined({
      logitsProcessors: await module.logitsProcessors?.(context),
      stoppingCriteria: await module.stoppingCriteria?.(context),
    });
    const blip2 = await container.get<ImageTasks>(isInstruct ? InstructBlipToken : Blip2Token);
    return { blip2, extensions, templates: module, dispose: disposeAsync };
  });
}

async function replaceParts(
  container: Blip2Container,
  { vision, qformer, projection, language }: Partial<Blip2Parts>,
): Promise<void> {
  if (vision) await container.replace(VisionEncoder, [], () => vision);
  if (qformer) await container.replace(QFormer, [], () => qformer);
  if (projection) await container.replace(LanguageProjection, [], () => projection);
  if (language) await container.replace(LanguageModel, [], () => language);
}
