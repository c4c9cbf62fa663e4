import { readdir } from 'node:fs/promises';
import { basename, join } from 'node:path';

import { fileVersion, INDEX_FILE, requireVersions } from '@blip2/files';
import { Blip2Error, type VersionedFile } from '@blip2/interfaces';

/** The files of model folders in the versions that they had at one time. */
export interface ModelVersion {
  /**
   * Compares the configuration and the weights, or all files that models are loaded from, with those versions.
   * @throws Blip2Error `MODEL_CHANGED` if a file was replaced, written to or deleted, or weights were added.
   */
  requireUnchanged(files: 'weights' | 'all'): Promise<void>;
}

/** Files that a model is loaded from. Others, such as a README, may change. */
const MODEL_FILE = /\.(?:json|safetensors|txt|model|jinja)$/;
const CONFIG_FILE = 'config.json';
/** Configuration of a PEFT adapter: its scaling decides the weights. */
const ADAPTER_CONFIG_FILE = 'adapter_config.json';
/** Subfolder with further files of some models. */
const QFORMER_TOKENIZER = 'qformer_tokenizer';

/**
 * Records the versions of all files in model folders. The parts of a model read them at different times, some only when
 * they are first used: configuration, weights and tokenizer of different versions would give wrong results.
 */
export async function readModelVersion(folders: Iterable<string>): Promise<ModelVersion> {
  const distinct = [...new Set(folders)];
  const files = (await Promise.all(distinct.map(versionsIn))).flat();
  return {
    async requireUnchanged(which) {
      await requireVersions(which === 'all' ? files : files.filter(({ file }) => decidesWeights(file)));
      const known = new Set(files.map(({ file }) => file));
      for (const folder of distinct)
        for (const name of await namesIn(folder))
          if (name !== CONFIG_FILE && decidesWeights(name) && !known.has(join(folder, name)))
            throw new Blip2Error('MODEL_CHANGED', 'Weights were added to the folder of the model after it was opened', {
              where: join(folder, name),
              fix: 'Load the model again',
            });
    },
  };
}

/** Whether a file is the configuration, or contains or lists weights. */
function decidesWeights(file: string): boolean {
  const name = basename(file);
  return [CONFIG_FILE, ADAPTER_CONFIG_FILE, INDEX_FILE].includes(name) || name.endsWith('.safetensors');
}

async function versionsIn(folder: string): Promise<VersionedFile[]> {
  const paths = [
    ...(await namesIn(folder)).map((name) => join(folder, name)),
    ...(await namesIn(join(folder, QFORMER_TOKENIZER))).map((name) => join(folder, QFORMER_TOKENIZER, name)),
  ];
  const found = await Promise.all(paths.map(async (file) => ({ file, version: await fileVersion(file) })));
  return found.flatMap(({ file, version }) => (version === undefined ? [] : [{ file, version }]));
}

async function namesIn(folder: string): Promise<string[]> {
  return (await readdir(folder).catch((): string[] => [])).filter(
    (name) => MODEL_FILE.test(name) && !name.startsWith('.'),
  );
}
