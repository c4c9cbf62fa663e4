/**
 * Prepacked weights in files. Prepacked anew at each start they are a copy on the heap; onnxruntime can save them and
 * map them the next time, when processes share them. It still compares them with the plain weights and wants both in
 * one file: twice the bytes on disk. The files belong to one graph, one version of the runtime, and one kind of CPU.
 */
import { createHash, randomUUID } from 'node:crypto';
import { mkdir, readFile, rename, rm, stat, statfs, writeFile } from 'node:fs/promises';
import { cpus } from 'node:os';
import { join } from 'node:path';

import type { OnnxModel } from '@blip2/interfaces';

import { processorFlags } from '../processor-features.ts';
import { runtimeVersion } from '../runtime-version.ts';
import { externalBytes } from './external-data.ts';

/** A graph with prepacked weights, as onnxruntime saved it. */
export const PREPACKED_GRAPH = 'graph.onnx';
/** Next to the graph, which names it. */
export const PREPACKED_WEIGHTS = 'weights.data';
/**
 * Written last, when a session over the files has returned what the session that they replace returned. Has the
 * length of the weights: a mapped file that is shorter would end the process. Until this file had its name, nothing
 * was compared; such folders have a `size.json` and are replaced.
 */
const MARKER = 'compared.json';
/** Next to the folder that it is about: its files returned something else, and were removed. */
const REFUSED = '.refused';
/** Version of how files are made from what the runtime saves: a graph refused in one is tried again in the next. */
const FORMAT = 1;

/** Where the prepacked weights of one graph are kept. */
export interface PrepackedFiles {
  /** Path of the graph whose files have been compared and are complete, if there is one. */
  trusted(): Promise<string | undefined>;
  /** Whether such files once returned something else. */
  refused(): Promise<boolean>;
  /** Creates a folder to write them into, or nothing where they cannot be kept: no room, no permission. */
  begin(): Promise<string | undefined>;
  /** Gives a complete folder its name; every later load will trust it. False if it cannot be renamed, or is gone. */
  trust(temporary: string): Promise<boolean>;
  /** Removes what is kept and remembers that it differed. */
  refuse(): Promise<void>;
  /** Removes a folder that files were written into, or the kept one. */
  remove(folder?: string): Promise<void>;
}

/** The files of a serialized model below the folder that the model names for them, if it does. */
export function prepackedFiles({ name, packedFolder }: OnnxModel, graph: Uint8Array): PrepackedFiles | undefined {
  if (packedFolder === undefined) return undefined;
  const digest = createHash('sha256')
    .update(graph)
    .update('\0')
    .update(processorAndRuntime())
    .digest('hex')
    .slice(0, 32);
  const folder = join(packedFolder, `${name}-${digest}`);
  const remove = async (removed = folder): Promise<void> => {
    await rm(removed, { recursive: true, force: true }).catch(() => undefined);
  };
  const trusted = async (): Promise<string | undefined> =>
    (await isWhole(folder)) ? join(folder, PREPACKED_GRAPH) : undefined;
  return {
    trusted,
    refused: async () => (await readJson(`${folder}${REFUSED}`))['format'] === FORMAT,
    begin: () => makeFolderWithRoom(`${folder}.${randomUUID()}.tmp`, externalBytes(graph)),
    async trust(temporary) {
      try {
        const { size: bytes } = await stat(join(temporary, PREPACKED_WEIGHTS));
        await writeFile(join(temporary, MARKER), JSON.stringify({ bytes }));
        // Another process may have been as quick.
        if ((await trusted()) !== undefined) return true;
        await remove();
        await rename(temporary, folder);
        return true;
      } catch {
        return false;
      }
    },
    async refuse() {
      await remove();
      await writeFile(`${folder}${REFUSED}`, JSON.stringify({ format: FORMAT })).catch(() => undefined);
    },
    remove,
  };
}

async function isWhole(folder: string): Promise<boolean> {
  const { bytes } = await readJson(join(folder, MARKER));
  const found = await stat(join(folder, PREPACKED_WEIGHTS)).catch(() => undefined);
  return found !== undefined && found.size === bytes;
}

/** The members of a small JSON file; none if there is no such file. */
async function readJson(file: string): Promise<Readonly<Record<string, unknown>>> {
  try {
    const value: unknown = JSON.parse(await readFile(file, 'utf8'));
    return typeof value === 'object' && value !== null ? { ...value } : {};
  } catch {
    return {};
  }
}

/** Creates a folder, if there is plenty of room: the runtime writes plain weights next to the prepacked ones. */
async function makeFolderWithRoom(folder: string, bytes: number): Promise<string | undefined> {
  try {
    await mkdir(folder, { recursive: true });
    const { bavail, bsize } = await statfs(folder);
    if (bavail * bsize > 4 * bytes) return folder;
    await rm(folder, { recursive: true });
  } catch {
    // It cannot be created, or the free space is unknown.
  }
  return undefined;
}

let identity: string | undefined;

/** What prepacked weights depend on besides the graph. */
function processorAndRuntime(): string {
  identity ??= [runtimeVersion(), process.platform, process.arch, processorFlags() ?? cpus()[0]?.model].join('\n');
  return identity;
}
