import { existsSync } from 'node:fs';
import { join } from 'node:path';

import { resolveFile, resolveFolder } from '@blip2/files';
import { Blip2Error, type WeightStore } from '@blip2/interfaces';

import { readHeader } from '../safetensors/read-header.ts';

/** File name of the weights of a PEFT adapter. */
export const ADAPTER_WEIGHTS_FILE = 'adapter_model.safetensors';
const PICKLED_WEIGHTS = 'adapter_model.bin';

/**
 * Opens the weights of a PEFT adapter. Reads the header only.
 * @throws Blip2Error `MISSING_FILE`, also for pickled weights; `UNSAFE_PATH`; `INVALID_CHECKPOINT`.
 */
export async function openAdapterWeights(folder: string): Promise<WeightStore> {
  const real = await resolveFolder(folder);
  if (!existsSync(join(real, ADAPTER_WEIGHTS_FILE)))
    throw existsSync(join(real, PICKLED_WEIGHTS))
      ? new Blip2Error('MISSING_FILE', 'The adapter has only pickled weights, which can run code when loaded', {
          expected: ADAPTER_WEIGHTS_FILE,
          got: PICKLED_WEIGHTS,
          where: folder,
          fix: 'Save it again in Python: model.save_pretrained(folder, safe_serialization=True)',
        })
      : new Blip2Error('MISSING_FILE', 'The adapter has no weights', {
          expected: ADAPTER_WEIGHTS_FILE,
          where: folder,
          fix: 'Pass the folder that save_pretrained of PEFT wrote',
        });
  const { tensors } = await readHeader(await resolveFile(real, ADAPTER_WEIGHTS_FILE));
  return { folder: real, tensors: new Map(tensors.map((tensor) => [tensor.name, tensor])) };
}
