import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { openCheckpoint, readTensor, saveCheckpoint, tensorSource } from '@blip2/checkpoint';

import type { MutableConfig, MutableTensors, Mutation } from './mutation.ts';

/** A checkpoint folder that is deleted when it is disposed of. */
export interface MutatedCheckpoint extends AsyncDisposable {
  readonly folder: string;
}

/** A copy of a checkpoint with a mutation's changes; the checkpoint itself if there are none. */
export async function mutatedCheckpoint(
  checkpoint: string,
  { config, tensors, storedAs }: Pick<Mutation, 'config' | 'tensors' | 'storedAs'>,
): Promise<MutatedCheckpoint> {
  if (!config && !tensors && !storedAs) return { folder: checkpoint, [Symbol.asyncDispose]: () => Promise.resolve() };
  const folder = await mkdtemp(join(tmpdir(), 'blip2-mutant-'));
  await cp(checkpoint, folder, { recursive: true });
  if (config) await editConfig(join(folder, 'config.json'), config);
  if (tensors || storedAs) await editTensors(folder, tensors ?? (() => undefined), storedAs);
  return { folder, [Symbol.asyncDispose]: () => rm(folder, { recursive: true }) };
}

async function editConfig(file: string, edit: (config: MutableConfig) => void): Promise<void> {
  const config: MutableConfig = JSON.parse(await readFile(file, 'utf8'));
  edit(config);
  await writeFile(file, JSON.stringify(config));
}

async function editTensors(
  folder: string,
  edit: (tensors: MutableTensors) => void,
  storedAs: Mutation['storedAs'],
): Promise<void> {
  const tensors: MutableTensors = new Map();
  for (const [name, stored] of (await openCheckpoint(folder)).tensors) tensors.set(name, await readTensor(stored));
  edit(tensors);
  await saveCheckpoint(
    folder,
    [...tensors].map(([name, tensor]) => tensorSource(name, tensor)),
    storedAs ? { dtype: storedAs } : {},
  );
}
