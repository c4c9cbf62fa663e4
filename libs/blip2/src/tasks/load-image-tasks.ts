import { readConfig } from '@blip2/config';
import { partSource } from '@blip2/part';

import { expectSources, type ModelSources } from '../checkpoint/model-sources.ts';
import { expectOptions } from '../parts/checkpoint-parts.ts';
import type { LoadOptions } from '../parts/load-options.ts';
import { Blip2 } from './blip2.ts';
import type { ImageTasks } from './image-tasks.ts';
import { InstructBlip } from './instructblip.ts';

/**
 * Loads the tasks of any checkpoint with a language model: BLIP-2 or InstructBLIP, according to the configuration of
 * the Q-Former's source.
 * @throws Blip2Error the codes of `Blip2.fromPretrained`.
 */
export async function loadImageTasks(source: string | ModelSources, options: LoadOptions = {}): Promise<ImageTasks> {
  await expectOptions(options);
  expectSources(source);
  const { adapters: _, ...resolving } = options;
  // The folder of an adapter stands for its base with the adapter.
  const { folder, adapters } = await partSource(typeof source === 'string' ? source : source.qformer, resolving);
  const { model_type: modelType } = Object(await readConfig(folder));
  const whole = adapters.length > 0 ? source : folder;
  const opened = typeof source === 'string' ? whole : { ...source, qformer: folder };
  return modelType === 'instructblip'
    ? InstructBlip.fromPretrained(opened, options)
    : Blip2.fromPretrained(opened, options);
}
