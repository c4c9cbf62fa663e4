/**
 * Files of prepacked weights. Without them, every load prepacks the weights into a copy on the heap. onnxruntime can
 * save prepacked weights and map them at the next load, shared between processes. It compares them with the plain
 * weights and needs both in one file, which doubles the bytes on disk. A file is specific to a graph, a version of
 * onnxruntime and a kind of CPU.
 */
import { createHash, randomUUID } from 'node:crypto';
import { mkdir, readFile, rename, rm, stat, statfs, writeFile } from 'node:fs/promises';
import { cpus } from 'node:os';
import { join } from 'node:path';

import type { OnnxModel } from '@blip2/interfaces';

import { processorFlags } from '../onnxruntime/processor-features.ts';
import { runtimeVersion } from '../onnxruntime/runtime-version.ts';
import { externalBytes } from './external-data.ts';

/** Name of a graph with prepacked weights, as saved by onnxruntime. */
export const PREPACKED_GRAPH = 'graph.onnx';
/** Name of its weights, next to the graph, which refers to it. */
export const PREPACKED_WEIGHTS = 'weights.data';
/**
 * Written last, once a session over the files has returned the results of the session that it replaces. It contains the
 * length of the weights, since mapping a shorter file would crash the process. Folders of versions without this
 * comparison have a `size.json` instead and are replaced.
 */
const MARKER = 'compared.json';
/** Suffix of the note next to a folder whose files returned other results and were removed. */
const REFUSED = '.refused';
/** Version of the file format. A graph refused in one version is tried again in the next. */
const FORMAT = 1;

/** Files of the prepacked weights of one graph. */
export interface PrepackedFiles {
  /** Path of the saved graph if its files are complete and have been compared. */
  trusted(): Promise<string | undefined>;
  /** Whether earlier files returned other results. */
  refused(): Promise<boolean>;
  /** Creates a temporary folder for them; undefined if there is no space or no permission. */
  begin(): Promise<string | undefined>;
  /** Renames a complete folder, so that later loads trust it. False if it cannot be renamed or no longer exists. */
  trust(temporary: string): Promise<boolean>;
  /** Removes the files and notes that their results differed. */
  refuse(): Promise<void>;
  /** Removes a temporary folder. Default: the trusted one. */
  remove(folder?: string): Promise<void>;
}

/** The files of a serialized model in the `packedFolder` of the model, if it has one. */
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
        // Another process may have finished first.
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

/** Members of a small JSON file; none if the file does not exist or is invalid. */
async function readJson(file: string): Promise<Readonly<Record<string, unknown>>> {
  try {
    const value: unknown = JSON.parse(await readFile(file, 'utf8'));
    return typeof value === 'object' && value !== null ? { ...value } : {};
  } catch {
    return {};
  }
}

/** Creates a folder if there is enough space: onnxruntime writes plain weights next to the prepacked ones. */
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

/** Identity of processor and onnxruntime, which prepacked weights depend on besides the graph. */
function processorAndRuntime(): string {
  identity ??= [runtimeVersion(), process.platform, process.arch, processorFlags() ?? cpus()[0]?.model].join('\n');
  return identity;
}
