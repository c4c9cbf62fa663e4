/**
 * Weights as the kernels of this processor want them. Laid out anew at each start they are a copy on the heap; the
 * runtime can write down what it has made and map it the next
 * time, where processes share it. It still compares them with the plain weights, so it wants these in the same file:
 * twice the bytes on the disk.
 * The files belong to one graph, one version of the runtime, and one kind of processor.
 */
import { createHash, randomUUID } from 'node:crypto';
import { mkdir, readFile, rename, rm, stat, statfs, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { cpus } from 'node:os';
import { join } from 'node:path';

import type { OnnxModel } from '@blip2/interfaces';

import { processorFlags } from './processor-features.ts';

/** A graph with packed weights, as onnxruntime wrote it. */
export const PACKED_GRAPH = 'graph.onnx';
/** Relative to the graph. */
export const PACKED_WEIGHTS = 'weights.data';
/** Written last: how long the weights are. A mapped file that is shorter would end the process. */
const PACKED_SIZE = 'size.json';

/** The folder in which what is made of `model` is kept. */
export function packedFolder({ name }: OnnxModel, cache: string, graph: Uint8Array): string {
  return join(
    cache,
    `${name}-${createHash('sha256').update(graph).update('\0').update(processorAndRuntime()).digest('hex').slice(0, 32)}`,
  );
}

/** The path of a packed graph, if it is whole. */
export async function findPacked(folder: string): Promise<string | undefined> {
  try {
    const { bytes } = JSON.parse(await readFile(join(folder, PACKED_SIZE), 'utf8')) as { readonly bytes?: unknown };
    if ((await stat(join(folder, PACKED_WEIGHTS))).size !== bytes) return undefined;
  } catch {
    return undefined;
  }
  return join(folder, PACKED_GRAPH);
}

/**
 * Lets `make` write a packed graph and its weights into a folder of their own, which gets its name when it is whole.
 * Packed files are a convenience: where they cannot be
 * kept (no room, no permission), `make` is told no folder, and what it makes is used all the same.
 */
export async function keepPacked<T>(
  folder: string,
  bytes: number,
  make: (temporary: string | undefined) => Promise<T>,
): Promise<T> {
  const temporary = `${folder}.${randomUUID()}.tmp`;
  if (!(await roomFor(temporary, bytes))) return make(undefined);
  try {
    const made = await make(temporary).catch(() => undefined);
    if (made === undefined) return await make(undefined);
    await finish(temporary, folder).catch(() => undefined);
    return made;
  } finally {
    await rm(temporary, { recursive: true, force: true }).catch(() => undefined);
  }
}

async function finish(temporary: string, folder: string): Promise<void> {
  const { size: bytes } = await stat(join(temporary, PACKED_WEIGHTS));
  await writeFile(join(temporary, PACKED_SIZE), JSON.stringify({ bytes }));
  // Somebody else may have been as quick.
  if ((await findPacked(folder)) !== undefined) return;
  await rm(folder, { recursive: true, force: true });
  await rename(temporary, folder);
}

/** Makes the folder, if there is plenty of room: the runtime writes plain weights beside the packed ones. */
async function roomFor(folder: string, bytes: number): Promise<boolean> {
  try {
    await mkdir(folder, { recursive: true });
    const { bavail, bsize } = await statfs(folder);
    if (bavail * bsize > 4 * bytes) return true;
    await rm(folder, { recursive: true });
  } catch {
    // It cannot be made, or nobody knows.
  }
  return false;
}

let identity: string | undefined;

/** What packed weights depend on beside the graph. */
function processorAndRuntime(): string {
  identity ??= [runtimeVersion(), process.platform, process.arch, processorFlags() ?? cpus()[0]?.model].join('\n');
  return identity;
}

function runtimeVersion(): string {
  const { version } = createRequire(import.meta.url)('onnxruntime-node/package.json') as { readonly version: string };
  return version;
}
