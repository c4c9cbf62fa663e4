import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { Blip2Error } from '@blip2/interfaces';

/** Published files have some 10 kB; those with a thousand class names, 100 kB. */
const maxConfigBytes = 2 ** 20;

function missing(file: string, cause: unknown): Blip2Error {
  return new Blip2Error('MISSING_FILE', 'The folder has no readable config.json', { where: file, fix: 'Give the folder of a Hugging Face checkpoint', cause });
}

async function readText(file: string): Promise<Uint8Array> {
  const handle = await open(file, 'r').catch((cause: unknown) => {
    throw missing(file, cause);
  });
  try {
    const { size } = await handle.stat().then((stat) => (stat.isFile() ? stat : Promise.reject(missing(file, undefined))));
    if (size > maxConfigBytes) throw new Blip2Error('INVALID_CONFIG', 'config.json is too large', { expected: `at most ${maxConfigBytes} bytes`, got: `${size}`, where: file });
    if (size === 0) throw new Blip2Error('INVALID_CONFIG', 'config.json is empty', { where: file });
    return await handle.readFile();
  } finally {
    await handle.close();
  }
}

/** Reads `folder/config.json` as JSON, unchecked: give it to a `fromJson`. Fails with `MISSING_FILE`, or `INVALID_CONFIG` if it is too large, not UTF-8 or no JSON. */
export async function readConfig(folder: string): Promise<unknown> {
  const file = join(folder, 'config.json');
  const bytes = await readText(file);
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch (cause) {
    throw new Blip2Error('INVALID_CONFIG', 'config.json is not JSON', { where: file, cause });
  }
}
