import { readdir } from 'node:fs/promises';
import { join } from 'node:path';

import { isJsonObject, readFailure, readJsonFile, writeAll, writePending } from '@blip2/files';
import { Blip2Error } from '@blip2/interfaces';

import type { FeatureStoreOptions } from './feature-store.ts';

/** Describes the folder: the encoder, and what to tell people about it. */
const FILE = 'features.json';
const MAX_BYTES = 65_536;
const VERSION = 1;

/**
 * Checks that a folder has features of this encoder, or marks an empty folder as such.
 * @throws Blip2Error `OUTPUT_IN_USE`, `INVALID_CONFIG`, `MISSING_FILE`, `WRITE_FAILED`.
 */
export async function expectEncoder(
  folder: string,
  { encoder, about = {}, readOnly = false }: FeatureStoreOptions,
): Promise<void> {
  const json = await readJsonFile(folder, FILE, { code: 'INVALID_CONFIG', maxBytes: MAX_BYTES });
  if (json) return expectSame(folder, json, { encoder, about });
  const files = await readdir(folder).catch((cause: unknown) => {
    throw readFailure(cause, folder);
  });
  if (readOnly || files.length > 0) {
    throw new Blip2Error(readOnly ? 'MISSING_FILE' : 'OUTPUT_IN_USE', 'The folder has no image features', {
      where: folder,
      expected: `${FILE}${readOnly ? '' : ', or an empty folder'}`,
      fix: readOnly ? 'Compute them first: blip2 features' : 'Choose another folder',
    });
  }
  const file = join(folder, FILE);
  const text = `${JSON.stringify({ version: VERSION, encoder, about }, undefined, 2)}\n`;
  const pending = await writePending(file, (handle) => writeAll(handle, Buffer.from(text), file));
  await pending.commit();
}

function expectSame(
  folder: string,
  json: Readonly<Record<string, unknown>>,
  { encoder, about }: Pick<Required<FeatureStoreOptions>, 'encoder' | 'about'>,
): void {
  if (json['version'] !== VERSION) {
    throw new Blip2Error('INVALID_CONFIG', `${FILE} must have version ${VERSION}`, {
      where: folder,
      got: JSON.stringify(json['version']) ?? 'none',
    });
  }
  if (json['encoder'] === encoder) return;
  throw new Blip2Error('OUTPUT_IN_USE', 'The folder has the features of another encoder', {
    where: folder,
    expected: describe(about),
    got: describe(isJsonObject(json['about']) ? json['about'] : {}),
    fix: 'Choose another folder, or the same model, precision and image settings',
  });
}

function describe(about: Readonly<Record<string, unknown>>): string {
  const values = Object.values(about).filter((value) => typeof value === 'string');
  return values.length > 0 ? values.join(', ').slice(0, 200) : 'an encoder that is not named';
}
