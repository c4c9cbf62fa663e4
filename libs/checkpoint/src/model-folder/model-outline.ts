import { open, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';

import { createTemporaryFolder, INDEX_FILE, makeFolder, MAX_HEADER_BYTES } from '@blip2/files';
import {
  DEFAULT_REVISION,
  type DownloadPlan,
  fetchFirstBytes,
  type HubIo,
  hubIo,
  type HubSession,
  hubSettings,
  inParallel,
  offlineError,
  type PlanOptions,
  prepareDownload,
  type RemoteFile,
} from '@blip2/hub';

import { LENGTH_BYTES } from '../safetensors/header.ts';

/** Configuration and tensor headers of a model on the Hub, without its weights. */
export interface ModelOutline extends AsyncDisposable {
  /**
   * A temporary folder with `config.json`, the shard index, and sparse weight files: they have the headers and sizes of
   * the real ones, but no weights. Other files are empty. Deleted with the outline.
   */
  readonly folder: string;
  /** Files and sizes of a complete download. */
  readonly plan: DownloadPlan;
}

/** Files that are fetched completely. */
const FETCHED_COMPLETELY: ReadonlySet<string> = new Set(['config.json', INDEX_FILE]);
/** Maximum size of a JSON file. Configurations have a few kB, the index of the largest models a few MB. */
const MAX_JSON_BYTES = 32_000_000;
/** Size of the first request in bytes: contains the header of most files. */
const FIRST_BYTES = 2 ** 18;
const MAX_PARALLEL = 4;

/** See `outlineModel`. */
export async function fetchOutline(id: string, options: PlanOptions = {}, io: HubIo = hubIo): Promise<ModelOutline> {
  const settings = await hubSettings(options);
  if (settings.offline) throw offlineError(id, 'The model is not in the cache');
  const session: HubSession = { settings, io, signal: options.signal };
  const { plan, needed } = await prepareDownload(session, id, options.revision ?? DEFAULT_REVISION, 'model');
  const folder = await createTemporaryFolder(tmpdir(), 'outline');
  const dispose = (): Promise<void> => rm(folder, { recursive: true, force: true });
  try {
    await inParallel(needed, MAX_PARALLEL, options.signal, (file, signal) =>
      outlineFile({ ...session, signal }, { id, commit: plan.commit, ...file }, join(folder, file.path)),
    );
  } catch (error) {
    await dispose();
    throw error;
  }
  return { folder, plan, [Symbol.asyncDispose]: dispose };
}

async function outlineFile(session: HubSession, file: RemoteFile, path: string): Promise<void> {
  await makeFolder(dirname(path));
  if (FETCHED_COMPLETELY.has(file.path))
    return writeFile(path, await fetchFirstBytes(session, file, Math.min(file.size, MAX_JSON_BYTES)));
  if (!file.path.endsWith('.safetensors')) return writeFile(path, '');
  const handle = await open(path, 'w');
  try {
    await handle.writeFile(await fetchHeader(session, file));
    await handle.truncate(file.size);
  } finally {
    await handle.close();
  }
}

/** Header length and header of a file. Of an invalid file, the first bytes, which fail the checks when it is opened. */
async function fetchHeader(session: HubSession, file: RemoteFile): Promise<Uint8Array> {
  const first = await fetchFirstBytes(session, file, Math.min(file.size, FIRST_BYTES));
  if (first.byteLength < LENGTH_BYTES) return first;
  const end = LENGTH_BYTES + Number(new DataView(first.buffer, first.byteOffset).getBigUint64(0, true));
  if (end <= first.byteLength) return first.subarray(0, end);
  return end <= file.size && end <= MAX_HEADER_BYTES + LENGTH_BYTES ? fetchFirstBytes(session, file, end) : first;
}
