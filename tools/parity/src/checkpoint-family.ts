import { readConfig } from '@blip2/config';

import { isJsonObject } from './json-shape.ts';

/** Which models a checkpoint holds, by the names in its `config.json`. */
export interface CheckpointFamily {
  /** `blip-2`, `instructblip`, …; absent without a `config.json`. */
  readonly modelType?: string;
  /** `opt`, `t5`, `llama`, … */
  readonly textModelType?: string;
  /** Class named first under `architectures`. */
  readonly architecture?: string;
}

/**
 * Reads the names only. A missing or broken file gives an empty family: the models themselves then say what is wrong.
 */
export async function readCheckpointFamily(checkpoint: string | undefined): Promise<CheckpointFamily> {
  if (checkpoint === undefined) return {};
  const config = await readConfig(checkpoint).catch(() => undefined);
  if (!isJsonObject(config)) return {};
  const architectures = Array.isArray(config['architectures']) ? config['architectures'] : [];
  return {
    ...named('modelType', config['model_type']),
    ...named('textModelType', field(config['text_config'], 'model_type')),
    ...named('architecture', architectures[0]),
  };
}

function field(value: unknown, name: string): unknown {
  return isJsonObject(value) ? value[name] : undefined;
}

function named<K extends keyof CheckpointFamily>(key: K, value: unknown): { readonly [P in K]?: string } {
  const result: { [P in K]?: string } = {};
  if (typeof value === 'string') result[key] = value;
  return result;
}
