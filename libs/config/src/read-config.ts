import { join } from 'node:path';

import { type JsonObject, readJsonFile } from '@blip2/files';
import { Blip2Error } from '@blip2/interfaces';

const FILE = 'config.json';
/** Published files have about 10 kB; those with a thousand class names, 100 kB. */
const MAX_BYTES = 2 ** 20;

/**
 * Reads `folder/config.json` as an unchecked JSON object, for a `fromJson`.
 * @throws Blip2Error `MISSING_FILE`; `UNSAFE_PATH` for a link that leads out of the folder and its cache;
 * `INVALID_CONFIG` for a file that is too large, not UTF-8 or not a JSON object.
 */
export async function readConfig(folder: string): Promise<JsonObject> {
  const json = await readJsonFile(folder, FILE, { code: 'INVALID_CONFIG', maxBytes: MAX_BYTES });
  if (json) return json;
  throw new Blip2Error('MISSING_FILE', `The folder has no ${FILE}`, {
    where: join(folder, FILE),
    fix: 'Pass the folder of a Hugging Face checkpoint',
  });
}
