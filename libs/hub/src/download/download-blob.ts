import { rename, rm, stat } from 'node:fs/promises';
import { dirname } from 'node:path';

import { isFolder, systemCode, wrapWriteErrors, writeFailure } from '@blip2/files';
import { Blip2Error, defined } from '@blip2/interfaces';

import {
  closePartial,
  createPartial,
  discardPartial,
  openPartial,
  type PartialFile,
  releasePartial,
} from '../cache/partial-file.ts';
import { fileUrl } from '../client/file-url.ts';
import { hubRequest, type HubSession, type OpenResponse, redactUrl } from '../client/hub-request.ts';
import { failedStatus } from '../client/hub-status.ts';
import { readBody } from '../client/read-body.ts';
import { type Attempt, type Transient, transient, withRetries } from '../client/retry.ts';
import { etagOf, type RepositoryFile } from '../repository/repository-files.ts';

/** A file to download, and its destination. */
export interface BlobRequest {
  readonly id: string;
  readonly commit: string;
  readonly file: RepositoryFile;
  /** Blob folder of the repository, which also holds the temporary file. */
  readonly blobs: string;
  /** Path of the file once it is complete and verified. */
  readonly destination: string;
  /** The content, if it was fetched already. */
  readonly content?: Uint8Array | undefined;
  /** Called with the number of bytes downloaded so far. */
  readonly onBytes: (loaded: number) => void;
}

/** Maximum number of consecutive failures without progress. */
const ATTEMPTS = 5;
/** Number of complete downloads with a wrong checksum after which the Hub is blamed. */
const MAX_MISMATCHES = 3;
/** Bytes by which an attempt counts as progress. */
const PROGRESS_BYTES = 2 ** 20;

/** A download in progress. */
interface Transfer extends BlobRequest {
  readonly session: HubSession;
  partial: PartialFile;
  /** Strong etag, in the storage, of the bytes fetched by this process. They are resumed only if it is unchanged. */
  validator: string | undefined;
  mismatches: number;
}

/**
 * Downloads one file to its destination, complete and verified, or not at all. Resumes an earlier partial download, and
 * leaves one that can be resumed if it fails. Returns false if another process has taken the file over, because this
 * one was suspended.
 * @throws Blip2Error `DOWNLOAD_FAILED`, `INTEGRITY_FAILED`, `NOT_FOUND`, `UNAUTHORIZED`, `WRITE_FAILED`; the signal's
 * reason.
 */
export async function downloadBlob(session: HubSession, request: BlobRequest): Promise<boolean> {
  const { io, signal } = session;
  const transfer: Transfer = {
    ...request,
    session,
    partial: await openPartial(request.blobs, request.file, signal, io.sleep),
    validator: undefined,
    mismatches: 0,
  };
  try {
    if (request.content && transfer.partial.size === 0) await append(transfer, request.content);
    request.onBytes(transfer.partial.size);
    await withRetries(() => attemptTransfer(transfer), { io, signal, attempts: ATTEMPTS });
    await wrapWriteErrors(request.destination, transfer.partial.handle.sync());
  } catch (error) {
    // Delete the partial file if the disk is full, or if this file failed its checksum. Otherwise keep it for resuming,
    // also if another file of the same download failed its checksum.
    const isUseless =
      error instanceof Blip2Error &&
      (error.code === 'WRITE_FAILED' || (error.code === 'INTEGRITY_FAILED' && error !== signal?.reason));
    await (isUseless ? discardPartial : releasePartial)(transfer.partial);
    throw error;
  }
  await closePartial(transfer.partial);
  return publish(transfer);
}

/**
 * Renames the partial file to its destination. If that fails, a complete file from another process is accepted: it may
 * have taken ours for abandoned and finished it.
 */
async function publish({ partial, destination, file }: Transfer): Promise<boolean> {
  try {
    await rename(partial.path, destination);
    return true;
  } catch (cause) {
    await rm(partial.path, { force: true });
    const existing = await stat(destination).catch(() => undefined);
    if (existing?.size === file.size) return true;
    if (systemCode(cause) === 'ENOENT' && (await isFolder(dirname(destination)))) return false;
    throw writeFailure(destination, cause);
  }
}

async function attemptTransfer(transfer: Transfer): Promise<Attempt<true>> {
  const { session, file, partial } = transfer;
  session.signal?.throwIfAborted();
  const start = partial.size;
  if (start < file.size || file.size === 0) {
    const failed = await fetchRest(transfer);
    if (failed)
      return { ...failed, progressed: transfer.partial === partial && partial.size - start >= PROGRESS_BYTES };
  }
  if (transfer.partial.hash.matches()) return { value: true };
  const failure = new Blip2Error('INTEGRITY_FAILED', 'A downloaded file has the wrong checksum', {
    where: urlOf(transfer),
    expected: `checksum ${etagOf(file)}`,
    got: 'another',
    fix: 'Try another network: a proxy may change files',
  });
  if (++transfer.mismatches >= MAX_MISMATCHES) throw failure;
  await restart(transfer);
  return transient(failure);
}

/** Starts over with a new file. The old one is not truncated: another process may have taken it over. */
async function restart(transfer: Transfer): Promise<void> {
  await discardPartial(transfer.partial);
  transfer.partial = await createPartial(transfer.blobs, transfer.file);
  transfer.validator = undefined;
}

function urlOf({ session, id, commit, file }: Transfer): string {
  return fileUrl(session, id, commit, file.path);
}

/** Fetches and writes the missing bytes. Returns the failure, if any. */
async function fetchRest(transfer: Transfer): Promise<Transient | undefined> {
  const { session, partial, file, id, commit } = transfer;
  // The URL contains the commit and the checksum is compared at the end, so bytes of an earlier process need no
  // validator.
  const range =
    partial.size === 0 ? {} : { range: `bytes=${partial.size}-`, ...defined({ 'if-range': transfer.validator }) };
  const attempt = await hubRequest(session, urlOf(transfer), range);
  if (!('value' in attempt)) return attempt;
  const { response, cancel } = attempt.value;
  const wrong = await checkHeaders(transfer, response);
  if (wrong) {
    cancel();
    return transient(wrong);
  }
  if (response.status !== 200 && response.status !== 206) {
    cancel();
    return failedStatus(response, session, { id, revision: commit });
  }
  const etag = response.headers.get('etag');
  transfer.validator = etag?.startsWith('"') === true ? etag : undefined;
  return receive(transfer, attempt.value, file);
}

/** Checks the headers, before anything is written, for a body that cannot be the file. */
async function checkHeaders(transfer: Transfer, response: Response): Promise<Blip2Error | undefined> {
  const { status, headers } = response;
  const { size } = transfer.partial;
  if (size > 0 && (status === 200 || status === 416)) {
    await restart(transfer);
    return status === 416 ? wrongResponse(response, 'a range', 'a refusal') : undefined;
  }
  if (status === 206) {
    const [, first, total] = /^bytes (\d+)-\d+\/(\d+|\*)$/.exec(headers.get('content-range') ?? '') ?? [];
    const fits = Number(first) === size && (total === '*' || Number(total) === transfer.file.size);
    return fits
      ? undefined
      : wrongResponse(
          response,
          `bytes from ${size} of ${transfer.file.size}`,
          headers.get('content-range') ?? 'another range',
        );
  }
  if (status !== 200) return undefined;
  const length = headers.get('content-encoding') === null ? headers.get('content-length') : null;
  if (length !== null && Number(length) !== transfer.file.size)
    return wrongResponse(response, `${transfer.file.size} bytes`, length);
  return /^text\/html\b/.test(headers.get('content-type') ?? '')
    ? wrongResponse(response, 'the file', 'a web page')
    : undefined;
}

function wrongResponse({ url }: Response, expected: string, got: string): Blip2Error {
  return new Blip2Error('DOWNLOAD_FAILED', 'The Hub sent something other than the file', {
    where: url === '' ? 'the Hub' : redactUrl(new URL(url)),
    expected,
    got,
    fix: 'Check HF_ENDPOINT and the proxy settings',
  });
}

async function receive(transfer: Transfer, opened: OpenResponse, file: RepositoryFile): Promise<Transient | undefined> {
  const { session, onBytes, partial } = transfer;
  for await (const chunk of readBody(opened, session)) {
    if ('broken' in chunk) return transient(chunk.broken);
    session.signal?.throwIfAborted();
    if (partial.size + chunk.byteLength > file.size) {
      await restart(transfer);
      return transient(wrongResponse(opened.response, `${file.size} bytes`, 'more'));
    }
    await append(transfer, chunk);
    onBytes(partial.size);
  }
  if (partial.size === file.size) return undefined;
  return transient(wrongResponse(opened.response, `${file.size} bytes`, `only ${partial.size}`));
}

async function append({ session, partial }: Transfer, bytes: Uint8Array): Promise<void> {
  await session.io.write(partial.handle, bytes, partial.path);
  partial.hash.update(bytes);
  partial.size += bytes.byteLength;
}
