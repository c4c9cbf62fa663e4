import { rename, rm, stat } from 'node:fs/promises';

import { wrapWriteErrors } from '@blip2/files';
import { Blip2Error } from '@blip2/interfaces';

import { createPartial, discardPartial, openPartial, type PartialFile, releasePartial } from '../cache/partial-file.ts';
import { type Answer, hubRequest, type HubSession, redactUrl } from '../client/hub-request.ts';
import { failedStatus } from '../client/hub-status.ts';
import { readBody } from '../client/read-body.ts';
import { type Attempt, transient, withRetries } from '../client/retry.ts';
import { etagOf, type RepositoryFile } from '../repository/repository-files.ts';

export interface BlobRequest {
  readonly id: string;
  readonly commit: string;
  readonly file: RepositoryFile;
  /** The folder of the repository's blobs, where the temporary file lives too. */
  readonly blobs: string;
  /** The name that the file gets once it is whole and right. */
  readonly destination: string;
  /** Called with the bytes that are there. */
  readonly onBytes: (loaded: number) => void;
}

/** Failures in a row without progress. */
const ATTEMPTS = 5;
/** Whole contents that were not what was promised, until that is the hub's fault. */
const MAX_MISMATCHES = 3;
/** Bytes by which a try counts as progress. */
const PROGRESS_BYTES = 2 ** 20;

/** A download under way. */
interface Transfer extends BlobRequest {
  readonly session: HubSession;
  partial: PartialFile;
  /** Strong etag of the storage that the bytes of this process came from: they go on only if it still has the same. */
  validator: string | undefined;
  mismatches: number;
}

/**
 * Brings one file under its name, whole and with the right checksum, or not at all. What is there already is gone on
 * with; what stays when it fails is
 * gone on with the next time. @throws Blip2Error `DOWNLOAD_FAILED`, `INTEGRITY_FAILED`, `NOT_FOUND`, `UNAUTHORIZED`,
 * `WRITE_FAILED`; the signal's reason.
 */
export async function downloadBlob(session: HubSession, request: BlobRequest): Promise<void> {
  const { io, signal } = session;
  const transfer: Transfer = {
    ...request,
    session,
    partial: await openPartial(request.blobs, request.file, signal),
    validator: undefined,
    mismatches: 0,
  };
  try {
    request.onBytes(transfer.partial.size);
    await withRetries(() => tryTransfer(transfer), { io, signal, attempts: ATTEMPTS });
    await wrapWriteErrors(request.destination, transfer.partial.handle.sync());
  } catch (error) {
    // A full disk wants its space back, whichever file it was. Bytes that were found wrong are of no use, but those of
    // other files are.
    const isUseless =
      error instanceof Blip2Error &&
      (error.code === 'WRITE_FAILED' || (error.code === 'INTEGRITY_FAILED' && error !== signal?.reason));
    await (isUseless ? discardPartial : releasePartial)(transfer.partial);
    throw error;
  }
  await transfer.partial.handle.close();
  await publish(transfer);
}

/**
 * Somebody else's file of the same name is as good as ours, and also if ours is gone: it was taken for abandoned and
 * finished.
 */
async function publish({ partial, destination, file }: Transfer): Promise<void> {
  try {
    await wrapWriteErrors(destination, rename(partial.path, destination));
  } catch (error) {
    await rm(partial.path, { force: true });
    const theirs = await stat(destination).catch(() => undefined);
    if (theirs?.size !== file.size) throw error;
  }
}

async function tryTransfer(transfer: Transfer): Promise<Attempt<true>> {
  const { session, file, partial } = transfer;
  session.signal?.throwIfAborted();
  const start = partial.size;
  if (start < file.size || file.size === 0) {
    const failed = await fetchRest(transfer);
    if (failed)
      return { ...failed, progressed: transfer.partial === partial && partial.size - start >= PROGRESS_BYTES };
  }
  if (transfer.partial.hash.matches()) return { value: true };
  const failure = new Blip2Error('INTEGRITY_FAILED', 'A downloaded file is not what the hub promised', {
    where: addressOf(transfer),
    expected: `checksum ${etagOf(file)}`,
    got: 'another',
    fix: 'Something on the way changes files: try another network',
  });
  if (++transfer.mismatches >= MAX_MISMATCHES) throw failure;
  await restart(transfer);
  return transient(failure);
}

/** A new file, never a shorter one: somebody may have taken the old one over. */
async function restart(transfer: Transfer): Promise<void> {
  await discardPartial(transfer.partial);
  transfer.partial = await createPartial(transfer.blobs, transfer.file);
  transfer.validator = undefined;
}

function addressOf({ session, id, commit, file }: Transfer): string {
  return `${session.settings.endpoint}/${id}/resolve/${commit}/${file.path.split('/').map(encodeURIComponent).join('/')}`;
}

/** Asks for what is missing and writes it. Nothing is returned if all bytes are there. */
async function fetchRest(transfer: Transfer): Promise<ReturnType<typeof transient> | undefined> {
  const { session, partial, file, id, commit } = transfer;
  // The address holds the commit and the whole is checked in the end: bytes of an earlier process need no validator.
  const range =
    partial.size === 0
      ? {}
      : {
          range: `bytes=${partial.size}-`,
          ...(transfer.validator !== undefined && { 'if-range': transfer.validator }),
        };
  const attempt = await hubRequest(session, addressOf(transfer), range);
  if (!('value' in attempt)) return attempt;
  const { response, cancel } = attempt.value;
  const unfit = await checkAnswer(transfer, response);
  if (unfit) {
    cancel();
    return transient(unfit);
  }
  if (response.status !== 200 && response.status !== 206) {
    cancel();
    return failedStatus(response, session, { id, revision: commit });
  }
  const etag = response.headers.get('etag');
  transfer.validator = etag?.startsWith('"') === true ? etag : undefined;
  return receive(transfer, attempt.value, file);
}

/** Looks at the headers, before anything is written, for a body that cannot be the file. */
async function checkAnswer(transfer: Transfer, response: Response): Promise<Blip2Error | undefined> {
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
  return new Blip2Error('DOWNLOAD_FAILED', 'The hub sends something else than the file', {
    where: url === '' ? 'the hub' : redactUrl(new URL(url)),
    expected,
    got,
    fix: 'Check HF_ENDPOINT and proxies',
  });
}

async function receive(
  transfer: Transfer,
  answer: Answer,
  file: RepositoryFile,
): Promise<ReturnType<typeof transient> | undefined> {
  const { session, onBytes, partial } = transfer;
  for await (const chunk of readBody(answer, session)) {
    if ('broken' in chunk) return transient(chunk.broken);
    session.signal?.throwIfAborted();
    if (partial.size + chunk.byteLength > file.size) {
      await restart(transfer);
      return transient(wrongResponse(answer.response, `${file.size} bytes`, 'more'));
    }
    await session.io.write(partial.handle, chunk, partial.path);
    partial.hash.update(chunk);
    partial.size += chunk.byteLength;
    onBytes(partial.size);
  }
  if (partial.size === file.size) return undefined;
  return transient(wrongResponse(answer.response, `${file.size} bytes`, `${partial.size} and no more`));
}
