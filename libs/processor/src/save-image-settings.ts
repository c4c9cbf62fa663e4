import { join } from 'node:path';

import { isJsonObject, type JsonObject, readJsonFile, writeAll, writePending } from '@blip2/files';

import { CONFIG_RULES, PREPROCESSOR_FILE, PROCESSOR_FILE, readImageSettings } from './read-image-settings.ts';

/**
 * Writes the settings of the image processor of one folder to another, in place of its own.
 * @throws Blip2Error `WRITE_FAILED`; the codes of `readImageSettings`.
 */
export async function saveImageSettings(source: string, target: string): Promise<void> {
  const settings = await readImageSettings(source);
  if (!settings) return;
  await writeJson(join(target, PREPROCESSOR_FILE), settings.json);
  const { image_processor: other, ...rest } = (await readJsonFile(target, PROCESSOR_FILE, CONFIG_RULES)) ?? {};
  // It would take precedence.
  if (isJsonObject(other)) await writeJson(join(target, PROCESSOR_FILE), rest);
}

async function writeJson(file: string, json: JsonObject): Promise<void> {
  const bytes = new TextEncoder().encode(`${JSON.stringify(json, undefined, 2)}\n`);
  const pending = await writePending(file, (handle) => writeAll(handle, bytes, file));
  await pending.commit();
}
