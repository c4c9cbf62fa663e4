import { rmSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { createTemporaryFolder, requireSpace, SINGLE_FILE } from '@blip2/files';

import type { TensorSource } from '../safetensors/tensor-source.ts';
import { sourceBytes, type WriteProgress, writeSafetensors } from '../safetensors/write-safetensors.ts';
import { type Checkpoint, openCheckpoint } from './open-checkpoint.ts';

/** Options of temporary weights. */
export interface TemporaryOptions {
  /** Parent of the temporary folder. Default: the system's temporary folder. */
  readonly folder?: string;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((progress: WriteProgress) => void) | undefined;
}

/** A checkpoint in a temporary folder, which is deleted by `dispose` or when the process exits. */
export interface TemporaryWeights extends Checkpoint, AsyncDisposable {
  /** Deletes the folder. */
  dispose(): Promise<void>;
}

/** Folders to delete when the process exits. They share one listener: Node warns about more than ten. */
const temporaryFolders = new Set<string>();
function removeLeftFolders(): void {
  for (const folder of temporaryFolders) rmSync(folder, { recursive: true, force: true });
}
function removeOnExit(folder: string): void {
  if (!process.listeners('exit').includes(removeLeftFolders)) process.once('exit', removeLeftFolders);
  temporaryFolders.add(folder);
}

/**
 * Writes tensors to a new temporary folder, whose name starts with `blip2-` and `label`, and opens them. On failure
 * nothing is left. A process that is killed leaves its folder, which the next one deletes.
 * @throws Blip2Error `WRITE_FAILED`; the signal's reason.
 */
export async function createTemporaryWeights(
  label: string,
  sources: readonly TensorSource[],
  { folder: parent = tmpdir(), signal, onProgress }: TemporaryOptions = {},
): Promise<TemporaryWeights> {
  const total = sources.reduce((sum, source) => sum + sourceBytes(source), 0);
  signal?.throwIfAborted();
  const folder = await createTemporaryFolder(parent, label);
  removeOnExit(folder);
  const dispose = async (): Promise<void> => {
    await rm(folder, { recursive: true, force: true });
    temporaryFolders.delete(folder);
  };
  try {
    // After the folders of killed processes were deleted.
    await requireSpace(parent, total);
    await writeSafetensors(join(folder, SINGLE_FILE), sources, { signal, onProgress });
    return { ...(await openCheckpoint(folder)), dispose, [Symbol.asyncDispose]: dispose };
  } catch (error) {
    await dispose();
    throw error;
  }
}
