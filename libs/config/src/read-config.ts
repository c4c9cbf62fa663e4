import { readdir } from 'node:fs/promises';
import { join } from 'node:path';

import { INDEX_FILE, type JsonObject, OPEN_CLIP_CONFIG, readJsonFile, SINGLE_FILE } from '@blip2/files';
import { Blip2Error } from '@blip2/interfaces';

const FILE = 'config.json';
/** Published files have about 10 kB; those with a thousand class names, 100 kB. */
const MAX_BYTES = 2 ** 20;
/** Configuration of an adapter of PEFT, such as a LoRA. */
const ADAPTER_FILE = 'adapter_config.json';
/** Folders that the trainer of Hugging Face Transformers creates in the folder of a run. */
const TRAINER_CHECKPOINT = /^checkpoint-(?<step>\d+)$/;
/** Maximum length of a name from a file in an error. */
const MAX_NAME_LENGTH = 200;

/**
 * Reads `folder/config.json`, or without it that of open_clip, as an unchecked JSON object, for a `fromJson`.
 * @throws Blip2Error `MISSING_FILE`, also for the folder of an adapter or of a training run; `UNSAFE_PATH` for a link
 * that leads out of the folder and its cache; `INVALID_CONFIG` for a file that is too large, not UTF-8 or not a JSON
 * object.
 */
export async function readConfig(folder: string): Promise<JsonObject> {
  const rules = { code: 'INVALID_CONFIG', maxBytes: MAX_BYTES } as const;
  const json = await readJsonFile(folder, FILE, rules);
  const names = await readdir(folder).catch((): string[] => []);
  // The folder of an adapter may have the configuration of its base model.
  if (names.includes(ADAPTER_FILE) && !names.includes(SINGLE_FILE) && !names.includes(INDEX_FILE))
    throw adapterError(folder, await readJsonFile(folder, ADAPTER_FILE, rules));
  if (json) return json;
  const clip = await readJsonFile(folder, OPEN_CLIP_CONFIG, rules);
  if (clip) return clip;
  throw new Blip2Error('MISSING_FILE', `The folder has no ${FILE}`, {
    where: join(folder, FILE),
    fix: lastCheckpoint(folder, names) ?? 'Pass the folder of a Hugging Face checkpoint',
  });
}

function adapterError(folder: string, adapter: JsonObject = {}): Blip2Error {
  const { base_model_name_or_path: base, peft_type: type } = adapter;
  const model = typeof base === 'string' && base !== '' ? base.slice(0, MAX_NAME_LENGTH) : 'its base model';
  return new Blip2Error('MISSING_FILE', 'The folder contains an adapter, not a model', {
    where: join(folder, ADAPTER_FILE),
    subject: model,
    expected: 'a whole model',
    got: `${typeof type === 'string' ? type.slice(0, MAX_NAME_LENGTH) : 'an adapter'} of ${model}`,
    fix: `Pass ${model} as the source, and this folder in adapters`,
  });
}

/** Names the latest checkpoint if the folder is that of a training run. */
function lastCheckpoint(folder: string, names: readonly string[]): string | undefined {
  const steps = names.flatMap((name) => TRAINER_CHECKPOINT.exec(name)?.groups?.['step'] ?? []).map(Number);
  if (steps.length === 0) return undefined;
  const last = join(folder, `checkpoint-${Math.max(...steps)}`);
  return `The folder is that of a training run. Pass a checkpoint in it: ${last}`;
}
