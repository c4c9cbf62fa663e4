import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { isJsonObject } from './json-shape.ts';

/** Which models a checkpoint holds, by the names in its `config.json`. */
export interface CheckpointFamily {
  /** `blip-2`, `instructblip`, …; absent without a `config.json`. */
  readonly modelType?: string;
  /** `opt`, `t5`, `llama`, … */
  readonly textModelType?: string;
  /** Class named first under `architectures`. */
  readonly architecture?: string;
  readonly positionEmbeddingType?: string;
}

/** Reads the names only; a missing or broken file gives an empty family, which the models then complain about. */
export async function readCheckpointFamily(checkpoint: string | undefined): Promise<CheckpointFamily> {
  if (checkpoint === undefined) return {};
  const text = await readFile(join(checkpoint, 'config.json'), 'utf8').catch(() => '{}');
  const config: unknown = JSON.parse(text);
  if (!isJsonObject(config)) return {};
  const architectures = Array.isArray(config['architectures']) ? config['architectures'] : [];
  return {
    ...named('modelType', config['model_type']),
    ...named('textModelType', field(config['text_config'], 'model_type')),
    ...named('architecture', architectures[0]),
    ...named('positionEmbeddingType', field(config['qformer_config'], 'position_embedding_type')),
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
