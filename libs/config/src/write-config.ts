import { randomUUID } from 'node:crypto';
import { mkdir, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { Blip2Error } from '@blip2/interfaces';

import { isJsonObject } from './schema/json-values.ts';

/** Fields that the reference takes as a float only: it refuses `1` where it means `1.0`, and JavaScript writes `1`. */
const FLOAT_KEYS: ReadonlySet<string> = new Set([
  'initializer_factor',
  'initializer_range',
  'init_std',
  'layer_norm_eps',
  'layer_norm_epsilon',
]);

function formatNumber(value: number, key: string): string {
  return FLOAT_KEYS.has(key) && Number.isInteger(value) ? `${value}.0` : JSON.stringify(value);
}

function format(value: unknown, key: string, margin: string): string {
  const inner = `${margin}  `;
  if (typeof value === 'number') return formatNumber(value, key);
  if (Array.isArray(value))
    return value.length === 0
      ? '[]'
      : `[\n${value.map((item) => inner + format(item, key, inner)).join(',\n')}\n${margin}]`;
  if (!isJsonObject(value)) return JSON.stringify(value);
  const members = Object.entries(value)
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, member]) => `${inner}${JSON.stringify(name)}: ${format(member, name, inner)}`);
  return members.length === 0 ? '{}' : `{\n${members.join(',\n')}\n${margin}}`;
}

/** The text of a `config.json` as the reference writes it: keys in order, two spaces, floats as floats. */
export function formatConfig(json: Readonly<Record<string, unknown>>): string {
  return `${format(json, '', '')}\n`;
}

/**
 * Writes `folder/config.json`, in one step; the folder is made if needed. `json` is what a `toJson` gave. Fails with
 * `WRITE_FAILED`.
 */
export async function writeConfig(folder: string, json: Readonly<Record<string, unknown>>): Promise<void> {
  const file = join(folder, 'config.json');
  const temporary = join(folder, `.config.json.${randomUUID()}.tmp`);
  try {
    await mkdir(folder, { recursive: true });
    await writeFile(temporary, formatConfig(json), { flag: 'wx', flush: true });
    await rename(temporary, file);
  } catch (cause) {
    await rm(temporary, { force: true }).catch(() => undefined);
    throw new Blip2Error('WRITE_FAILED', 'config.json cannot be written', { where: file, cause });
  }
}

/**
 * Writes the `config.json` of one part alone, with the class that the reference is to load it as and the type of its
 * weights. Fails with `WRITE_FAILED`.
 */
export async function writePartConfig(
  folder: string,
  json: Readonly<Record<string, unknown>>,
  part: { readonly modelType: string; readonly architecture: string; readonly dtype: string },
): Promise<void> {
  const { modelType, architecture, dtype } = part;
  await writeConfig(folder, {
    model_type: modelType,
    ...json,
    architectures: [architecture],
    torch_dtype: dtype,
    ...('dtype' in json && { dtype }),
  });
}
