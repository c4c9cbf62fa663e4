import { readConfig } from '@blip2/config';
import { partFolder } from '@blip2/part';

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
  const folder = await partFolder(source, options);
  const { model_type: modelType } = Object(await readConfig(folder));
  return modelType === 'instructblip'
    ? InstructBlip.fromPretrained(folder, options)
    : Blip2.fromPretrained(folder, options);
}
