import { isJsonObject, type JsonFileRules, type JsonObject, readJsonFile } from '@blip2/files';

import { openClipImageSettings, timmImageSettings } from './timm-image-settings.ts';

export const PREPROCESSOR_FILE = 'preprocessor_config.json';
export const PROCESSOR_FILE = 'processor_config.json';
export const CONFIG_RULES: JsonFileRules = { code: 'INVALID_CONFIG', maxBytes: 1024 * 1024 };

/** Settings of an image processor, not checked, and the name of their file. */
export interface ImageSettingsFile {
  readonly json: JsonObject;
  readonly file: string;
}

/**
 * The settings of the image processor in a folder; undefined if there are none.
 * @throws Blip2Error `INVALID_CONFIG` for a file that cannot be read; `UNSAFE_PATH`.
 */
export async function readImageSettings(folder: string): Promise<ImageSettingsFile | undefined> {
  const nested = (await readJsonFile(folder, PROCESSOR_FILE, CONFIG_RULES))?.['image_processor'];
  if (isJsonObject(nested)) return { json: nested, file: PROCESSOR_FILE };
  const json = await readJsonFile(folder, PREPROCESSOR_FILE, CONFIG_RULES);
  return json ? { json, file: PREPROCESSOR_FILE } : describedByModel(folder);
}

/** Settings in the configuration of a model of timm or open_clip. */
async function describedByModel(folder: string): Promise<ImageSettingsFile | undefined> {
  const described = [
    ['config.json', timmImageSettings],
    ['open_clip_config.json', openClipImageSettings],
  ] as const;
  for (const [file, settingsOf] of described) {
    const config = await readJsonFile(folder, file, CONFIG_RULES);
    const json = config && settingsOf(config);
    if (json) return { json, file };
  }
  return undefined;
}
