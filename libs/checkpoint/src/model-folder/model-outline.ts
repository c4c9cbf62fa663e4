import { mkdtemp, open, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';

import { INDEX_FILE, makeFolder, MAX_HEADER_BYTES } from '@blip2/files';
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

/** A model of the hub as far as it can be known without its weights. */
export interface ModelOutline extends AsyncDisposable {
  /**
   * A temporary folder with `config.json`, the index of the shards, and weight files that have the header and the size
   * of the real ones and holes in place of the weights. Other
   * files are there and empty. It goes away with the outline.
   */
  readonly folder: string;
  /** What a download would bring. */
  readonly plan: DownloadPlan;
}

/** Read whole: what the model is, and in which shard each tensor lies. */
const READ_WHOLE: ReadonlySet<string> = new Set(['config.json', INDEX_FILE]);
/** Configurations are a few kB; the index of the largest models is some MB. */
const MAX_JSON_BYTES = 32_000_000;
/** Bytes that are asked for first: the headers of most files and no more than an image. */
const FIRST_BYTES = 2 ** 18;
const MAX_PARALLEL = 4;

/**
 * Reads configuration and headers of a model that is not here, by ranged requests: some hundred kB of many GB.
 * @throws Blip2Error `NOT_FOUND`, `UNAUTHORIZED`, `DOWNLOAD_FAILED`, `OFFLINE`, `MISSING_FILE`, `INVALID_ARGUMENT`; the
 * signal's reason.
 */
export async function outlineModel(id: string, options: PlanOptions = {}, io: HubIo = hubIo): Promise<ModelOutline> {
  const settings = await hubSettings(options);
  if (settings.offline) throw offlineError(id, 'The model is not in the cache');
  const session: HubSession = { settings, io, signal: options.signal };
  const { plan, needed } = await prepareDownload(session, id, options.revision ?? DEFAULT_REVISION, 'model');
  const folder = await mkdtemp(join(tmpdir(), 'blip2-outline-'));
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
  if (READ_WHOLE.has(file.path))
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

/**
 * The length of the header and the header; of a file that says something impossible the first bytes, which whoever
 * reads it will refuse.
 */
async function fetchHeader(session: HubSession, file: RemoteFile): Promise<Uint8Array> {
  const first = await fetchFirstBytes(session, file, Math.min(file.size, FIRST_BYTES));
  if (first.byteLength < LENGTH_BYTES) return first;
  const end = LENGTH_BYTES + Number(new DataView(first.buffer, first.byteOffset).getBigUint64(0, true));
  if (end <= first.byteLength) return first.subarray(0, end);
  return end <= file.size && end <= MAX_HEADER_BYTES + LENGTH_BYTES ? fetchFirstBytes(session, file, end) : first;
}
