import { open, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';

import { createTemporaryFolder, makeFolder, MAX_HEADER_BYTES, wrapWriteErrors, writeAll } from '@blip2/files';
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
import { Blip2Error } from '@blip2/interfaces';

import { LENGTH_BYTES } from '../safetensors/header.ts';

/** A model on the Hub without its weights: configuration, tokenizers, processor, and tensor headers. */
export interface ModelOutline extends AsyncDisposable {
  /**
   * A temporary folder with all files of the model, except that its weight files are sparse: they have the headers and
   * sizes of the real ones, but no weights. Deleted with the outline.
   */
  readonly folder: string;
  /** Files and sizes of a complete download. */
  readonly plan: DownloadPlan;
}

/** Files that are fetched completely: all but weights. */
const FETCHED_COMPLETELY = /\.(?:json|jinja|txt)$/;
/** Maximum size of such a file. Configurations have a few kB, indexes and tokenizers of the largest models a few MB. */
const MAX_TEXT_BYTES = 32_000_000;
/** Size of the first request in bytes: contains the header of most files. */
const FIRST_BYTES = 2 ** 18;
const MAX_PARALLEL = 4;

/** See `outlineModel`. */
export async function fetchOutline(id: string, options: PlanOptions = {}, io: HubIo = hubIo): Promise<ModelOutline> {
  const settings = await hubSettings(options);
  if (settings.offline) throw offlineError(id, 'The model is not in the cache');
  const session: HubSession = { settings, io, signal: options.signal };
  const { plan, needed, fetchedIndex } = await prepareDownload(
    session,
    id,
    options.revision ?? DEFAULT_REVISION,
    'model',
  );
  const folder = await createTemporaryFolder(tmpdir(), 'outline');
  const dispose = (): Promise<void> => rm(folder, { recursive: true, force: true });
  try {
    await inParallel(needed, MAX_PARALLEL, options.signal, (file, signal) =>
      outlineFile(
        { ...session, signal },
        { id, commit: plan.commit, ...file },
        join(folder, file.path),
        fetchedIndex?.path === file.path ? fetchedIndex.bytes : undefined,
      ),
    );
  } catch (error) {
    await dispose();
    throw error;
  }
  return { folder, plan, [Symbol.asyncDispose]: dispose };
}

async function outlineFile(
  session: HubSession,
  file: RemoteFile,
  path: string,
  content: Uint8Array | undefined,
): Promise<void> {
  await wrapWriteErrors(path, makeFolder(dirname(path)));
  if (FETCHED_COMPLETELY.test(file.path)) {
    const bytes = content ?? (await fetchFirstBytes(session, file, Math.min(file.size, MAX_TEXT_BYTES)));
    return wrapWriteErrors(path, writeFile(path, bytes));
  }
  const header = await fetchHeader(session, file);
  const handle = await wrapWriteErrors(path, open(path, 'w'));
  try {
    await writeAll(handle, header, path);
    await handle.truncate(file.size).catch((cause: unknown) => {
      throw new Blip2Error('INVALID_CHECKPOINT', 'A file is larger than this system can hold', {
        where: `${file.path} of ${file.id}`,
        got: `${file.size} bytes`,
        cause,
        fix: 'Check that it is the right repository',
      });
    });
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
