import { readConfig } from '@blip2/config';
import { partSource } from '@blip2/part';

import { expectOptions } from '../parts/checkpoint-parts.ts';
import type { LoadOptions } from '../parts/load-options.ts';
import { Blip2 } from './blip2.ts';
import type { ImageTasks } from './image-tasks.ts';
import { InstructBlip } from './instructblip.ts';

/**
 * Loads the tasks of any checkpoint with a language model: BLIP-2 or InstructBLIP, according to its configuration.
 * @throws Blip2Error the codes of `Blip2.fromPretrained`.
 */
export async function loadImageTasks(source: string, options: LoadOptions = {}): Promise<ImageTasks> {
  await expectOptions(options);
  const { adapters: _, ...resolving } = options;
  const { folder, adapters } = await partSource(source, resolving);
  const { model_type: modelType } = Object(await readConfig(folder));
  // The folder of an adapter stands for its base with the adapter.
  const resolved = adapters.length > 0 ? source : folder;
  return modelType === 'instructblip'
    ? InstructBlip.fromPretrained(resolved, options)
    : Blip2.fromPretrained(resolved, options);
}
