import { join } from 'node:path';

import { isJsonObject, makeFolder, wrapWriteErrors, writeAll, writePending } from '@blip2/files';

/** Fields that HF only accepts as a float: it rejects `1` in place of `1.0`, and JavaScript writes `1`. */
const FLOAT_KEYS: ReadonlySet<string> = new Set([
  'initializer_factor',
  'initializer_range',
  'init_std',
  'layer_norm_eps',
  'layer_norm_epsilon',
]);

/** Numbers that are not finite are written as Python's `json` writes and reads them: NaN, Infinity, -Infinity. */
function formatNumber(value: number, key: string): string {
  if (!Number.isFinite(value)) return String(value);
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

/** The text of a `config.json` as HF writes it: sorted keys, two spaces, floats as floats. */
export function formatConfig(json: Readonly<Record<string, unknown>>): string {
  return `${format(json, '', '')}\n`;
}

/**
 * Writes `folder/config.json` in one step, and creates the folder if necessary. `json` is the result of a `toJson`.
 * @throws Blip2Error `WRITE_FAILED`.
 */
export async function writeConfig(folder: string, json: Readonly<Record<string, unknown>>): Promise<void> {
  const file = join(folder, 'config.json');
  const bytes = new TextEncoder().encode(formatConfig(json));
  await wrapWriteErrors(folder, makeFolder(folder));
  const pending = await writePending(file, (handle) => writeAll(handle, bytes, file));
  await pending.commit();
}

/**
 * Writes the `config.json` of one part alone, with the HF class that loads it and the type of its weights.
 * @throws Blip2Error `WRITE_FAILED`.
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
