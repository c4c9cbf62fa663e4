import { createHash } from 'node:crypto';
import { open, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import {
  fileChecksum,
  forgetVerified,
  isVerified,
  markVerified,
  type RecordedFile,
  type Verdict,
  verifyOnce,
} from '@blip2/files';

/** Name of a graph with prepacked weights, as saved by onnxruntime. */
export const PREPACKED_GRAPH = 'graph.onnx';
/** Name of its weights, next to the graph, which refers to it. */
export const PREPACKED_WEIGHTS = 'weights.data';
/**
 * Written last, once a session over the files has returned the results of the session that it replaces. Folders of
 * versions without this comparison have a `size.json` instead and are replaced, as are those without checksums.
 */
const MANIFEST = 'compared.json';
/** The record of weights whose checksum was verified. */
const RECORD = 'verified';

interface Manifest {
  /** Length of the weights, since mapping a shorter file would crash the process. */
  readonly bytes: number;
  /** CRC-32 of the weights. */
  readonly weights: string;
  /** SHA-256 of the graph, which may refer to any file. */
  readonly graph: string;
}

/** Writes the manifest of a folder whose files are complete. */
export async function writeManifest(folder: string): Promise<void> {
  const { size: bytes } = await stat(join(folder, PREPACKED_WEIGHTS));
  const manifest: Manifest = { bytes, weights: await weightsChecksum(folder), graph: await graphChecksum(folder) };
  await writeFile(join(folder, MANIFEST), JSON.stringify(manifest));
  await markVerified(recordedWeights(folder));
}

/** Whether `verifyFolder` will find a folder intact without reading its weights. */
export async function isKnownIntact(folder: string): Promise<boolean> {
  const manifest = await readManifest(folder);
  return (
    manifest !== undefined &&
    (await graphChecksum(folder).catch(() => undefined)) === manifest.graph &&
    (await isVerified(recordedWeights(folder)))
  );
}

/**
 * Compares graph and weights with the manifest: the graph each time, the weights once after each start of the machine
 * and after each change. `undefined` if the folder is not complete.
 */
export async function verifyFolder(folder: string): Promise<Verdict | undefined> {
  const manifest = await readManifest(folder);
  if (!manifest) return undefined;
  try {
    if ((await graphChecksum(folder)) !== manifest.graph) return 'damaged';
    return await verifyOnce(recordedWeights(folder), async () =>
      (await weightsChecksum(folder)) === manifest.weights ? 'ok' : 'damaged',
    );
  } catch {
    return 'damaged';
  }
}

/**
 * Compares graph and weights with the manifest, however recently that was done. A folder that is not complete is
 * damaged.
 * @throws the signal's reason.
 */
export async function verifyFolderNow(folder: string, signal?: AbortSignal): Promise<Verdict> {
  const manifest = await readManifest(folder);
  const isIntact =
    manifest !== undefined &&
    (await graphChecksum(folder).catch(() => undefined)) === manifest.graph &&
    (await weightsChecksum(folder, signal)) === manifest.weights;
  if (!isIntact) await forgetVerified(recordedWeights(folder));
  return isIntact ? 'ok' : 'damaged';
}

function recordedWeights(folder: string): RecordedFile {
  return { file: join(folder, PREPACKED_WEIGHTS), record: join(folder, RECORD) };
}

async function readManifest(folder: string): Promise<Manifest | undefined> {
  const { bytes, weights, graph } = await readJson(join(folder, MANIFEST));
  const found = await stat(join(folder, PREPACKED_WEIGHTS)).catch(() => undefined);
  if (!found || found.size !== bytes || typeof weights !== 'string' || typeof graph !== 'string') return undefined;
  return { bytes: found.size, weights, graph };
}

async function graphChecksum(folder: string): Promise<string> {
  return createHash('sha256')
    .update(await readFile(join(folder, PREPACKED_GRAPH)))
    .digest('hex');
}

async function weightsChecksum(folder: string, signal?: AbortSignal): Promise<string> {
  const handle = await open(join(folder, PREPACKED_WEIGHTS));
  try {
    return await fileChecksum(handle, { signal });
  } finally {
    await handle.close();
  }
}

/** Members of a small JSON file; none if the file does not exist or is invalid. */
export async function readJson(file: string): Promise<Readonly<Record<string, unknown>>> {
  try {
    const value: unknown = JSON.parse(await readFile(file, 'utf8'));
    return typeof value === 'object' && value !== null ? { ...value } : {};
  } catch {
    return {};
  }
}
