import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';

import { defined, isComplete } from '@blip2/interfaces';
import { defaultThreads } from '@blip2/runtime';

import type { ModelFolders } from '../checkpoint/model-sources.ts';
import type { LoadOptions } from './load-options.ts';
import type { ModelHosts } from './model-hosts.ts';

/** Names of files that hold weights: safetensors, and those of PyTorch. */
const WEIGHTS = /\.(safetensors|bin|pth|pt)$/;

/**
 * The numbers of threads for all parts of a model: as given, else what suits this machine. Found before any part is
 * created, as parts that get ready would disturb a measurement, in the vision host if there is one. Nothing where
 * sessions are left to decide for themselves: on other devices, with a custom session factory, and for small models.
 */
export async function modelThreads(
  folders: ModelFolders,
  options: LoadOptions,
  hosts: ModelHosts | undefined,
): Promise<LoadOptions['threads']> {
  const { threads, device = 'cpu', createSession } = options;
  const given = typeof threads === 'object' ? threads : undefined;
  const isGiven = given ? isComplete(given) : threads !== undefined;
  if (isGiven || device !== 'cpu' || createSession) return threads;
  const bytes = async (): Promise<number> => {
    // Only a measurement asks for the bytes.
    await hosts?.started();
    return weightBytes(folders);
  };
  const choice = await defaultThreads({ weightBytes: bytes, host: hosts?.vision });
  return given ? { ...choice, ...defined(given) } : choice;
}

/** Bytes of all files with weights in the folders of the parts; none of what cannot be looked at. */
async function weightBytes({ qformer, vision, language }: ModelFolders): Promise<number> {
  const sizes = await Promise.all(
    [...new Set([qformer, vision, language])].map(async (folder) => {
      const names = (await readdir(folder).catch(() => [])).filter((name) => WEIGHTS.test(name));
      return Promise.all(
        names.map((name) =>
          stat(join(folder, name)).then(
            ({ size }) => size,
            () => 0,
          ),
        ),
      );
    }),
  );
  return sizes.flat().reduce((sum, size) => sum + size, 0);
}
