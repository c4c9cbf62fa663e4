/**
 * Files of prepacked weights. Without them, every load prepacks the weights into a copy on the heap. onnxruntime can
 * save prepacked weights and map them at the next load, shared between processes. It compares them with the plain
 * weights and needs both in one file, which doubles the bytes on disk. A file is specific to a graph, a version of
 * onnxruntime and a kind of CPU.
 */
import { createHash } from 'node:crypto';
import { mkdir, rename, rm, statfs, writeFile } from 'node:fs/promises';
import { cpus } from 'node:os';
import { join } from 'node:path';

import { temporaryName } from '@blip2/files';
import type { OnnxModel } from '@blip2/interfaces';

import { processorFlags } from '../onnxruntime/processor-features.ts';
import { runtimeVersion } from '../onnxruntime/runtime-version.ts';
import { externalBytes } from './external-data.ts';
import { isKnownIntact, PREPACKED_GRAPH, readJson, verifyFolder, writeManifest } from './prepacked-manifest.ts';

/** Suffix of the note next to a folder whose files returned other results and were removed. */
const REFUSED = '.refused';
/** Version of the file format. A graph refused in one version is tried again in the next. */
const FORMAT = 1;

/** Files of the prepacked weights of one graph. */
export interface PrepackedFiles {
  /** Whether there are files that have been compared and that are known to be intact without reading them. */
  known(): Promise<boolean>;
  /** Path of the saved graph if its files have been compared and are intact. Damaged files are removed. */
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
  const trusted = async (): Promise<string | undefined> => {
    const verdict = await verifyFolder(folder);
    if (verdict === 'ok') return join(folder, PREPACKED_GRAPH);
    if (verdict === 'damaged') {
      process.emitWarning(`${folder} is damaged and is created again`, { code: 'BLIP2_DAMAGED_CACHE' });
      await remove();
    }
    return undefined;
  };
  return {
    known: () => isKnownIntact(folder),
    trusted,
    refused: async () => (await readJson(`${folder}${REFUSED}`))['format'] === FORMAT,
    begin: () => makeFolderWithRoom(temporaryName(folder), externalBytes(graph)),
    async trust(temporary) {
      try {
        await writeManifest(temporary);
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
