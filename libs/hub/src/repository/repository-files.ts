import { Blip2Error, defined } from '@blip2/interfaces';

import { hubJson, unexpectedResponse } from '../client/hub-json.ts';
import type { HubSession } from '../client/hub-request.ts';
import { isCommit } from './repository-id.ts';

/** A revision as resolved by the Hub. */
export interface Revision {
  readonly commit: string;
  /** Licence identifier in the model card (`mit`), if any. The licence text itself is not checked. */
  readonly licence: string | undefined;
}

/** A file of a commit. */
export interface RepositoryFile {
  readonly path: string;
  /** Size of the content in bytes, not of an LFS pointer to it. */
  readonly size: number;
  /** Git's SHA-1 of the file, or of the pointer if the content is in large-file storage. */
  readonly blobId: string;
  /** SHA-256 of the content, for large files. */
  readonly sha256?: string;
  /** Its hash in Xet storage. Kept for the listing that Python reads. */
  readonly xetHash?: string;
}

/** Name of the content in the cache, which is also its checksum: SHA-256 for large files, else git's SHA-1. */
export function etagOf({ sha256, blobId }: RepositoryFile): string {
  return sha256 ?? blobId;
}

const MAX_FILES = 100_000;
/** Maximum number of pages of a listing, which have 1,000 entries each. */
const MAX_PAGES = 1000;
/** Maximum number of bytes of a listing: about 300 per file. */
const MAX_LISTING_BYTES = 100_000_000;

/**
 * Resolves a branch, tag or commit.
 * @throws Blip2Error `NOT_FOUND`, `UNAUTHORIZED`, `DOWNLOAD_FAILED`
 */
export async function fetchRevision(session: HubSession, id: string, revision: string): Promise<Revision> {
  const address = `${session.settings.endpoint}/api/models/${id}/revision/${encodeURIComponent(revision)}`;
  const { json } = await hubJson(session, address, { id, revision });
  const commit = stringOf(field(json, 'sha'));
  if (commit === undefined || !isCommit(commit)) throw unexpectedResponse(address, 'no commit');
  return { commit, licence: licenceOf(json) };
}

function licenceOf(json: unknown): string | undefined {
  const card = field(json, 'cardData');
  const [licence, name] = [stringOf(field(card, 'license')), stringOf(field(card, 'license_name'))];
  if (licence !== undefined) return licence === 'other' && name !== undefined ? name : licence;
  const tags = field(json, 'tags');
  const tag = Array.isArray(tags)
    ? tags.find((each) => typeof each === 'string' && each.startsWith('license:'))
    : undefined;
  return stringOf(tag)?.slice('license:'.length);
}

/**
 * Lists all files of a commit, over all pages of the response.
 * @throws Blip2Error as `fetchRevision`.
 */
export async function fetchTree(session: HubSession, id: string, commit: string): Promise<readonly RepositoryFile[]> {
  const files: RepositoryFile[] = [];
  let received = 0;
  let address: string | undefined =
    `${session.settings.endpoint}/api/models/${id}/tree/${commit}?recursive=true&expand=false`;
  for (const seen = new Set<string>(); address !== undefined && !seen.has(address);) {
    seen.add(address);
    if (seen.size > MAX_PAGES) throw unexpectedResponse(address, `more than ${MAX_PAGES} pages of files`);
    const { json, headers, bytes } = await hubJson(session, address, { id, revision: commit }).catch(
      (error: unknown) => {
        throw withoutRoute(error, id, session);
      },
    );
    if (!Array.isArray(json)) throw unexpectedResponse(address, 'no list of files');
    if ((received += bytes) > MAX_LISTING_BYTES)
      throw unexpectedResponse(address, `more than ${MAX_LISTING_BYTES} bytes of file names`);
    for (const entry of json) if (field(entry, 'type') === 'file') files.push(parseFile(entry, address));
    if (files.length > MAX_FILES) throw unexpectedResponse(address, `more than ${MAX_FILES} files`);
    address = nextPage(headers, address);
  }
  return files;
}

/** The commit exists, so a listing that does not exist is a mirror's: it does not implement this part of the Hub. */
function withoutRoute(error: unknown, id: string, { settings }: HubSession): unknown {
  if (!(error instanceof Blip2Error) || error.code !== 'NOT_FOUND') return error;
  return new Blip2Error('DOWNLOAD_FAILED', 'The server knows the repository, but does not list its files', {
    where: `${settings.endpoint}/api/models/${id}/tree`,
    cause: error,
    fix: 'Use a complete mirror of the Hub (HF_ENDPOINT), or download the model with another client',
  });
}

function parseFile(entry: unknown, address: string): RepositoryFile {
  const lfs = field(entry, 'lfs');
  const [path, blobId, sha256, xetHash] = [
    field(entry, 'path'),
    field(entry, 'oid'),
    field(lfs, 'oid'),
    field(entry, 'xetHash'),
  ].map(stringOf);
  const size = field(lfs, 'size') ?? field(entry, 'size');
  if (path === undefined || typeof size !== 'number' || !Number.isSafeInteger(size) || size < 0)
    throw unexpectedResponse(address, 'a file without path or size');
  if (
    blobId === undefined ||
    !/^[0-9a-f]{40}$/.test(blobId) ||
    (lfs !== undefined && !/^[0-9a-f]{64}$/.test(sha256 ?? ''))
  )
    throw unexpectedResponse(address, 'a file without a checksum');
  return {
    path,
    size,
    blobId,
    ...defined({ sha256, xetHash: xetHash !== undefined && /^[0-9a-f]{64}$/.test(xetHash) ? xetHash : undefined }),
  };
}

/** Address of the next page, from the header `Link: <address>; rel="next"`. */
function nextPage(headers: Headers, base: string): string | undefined {
  const target = /<([^>]+)>\s*;\s*rel="?next"?/.exec(headers.get('link') ?? '')?.[1];
  if (target === undefined) return undefined;
  if (!URL.canParse(target, base) || !/^https?:$/.test(new URL(target, base).protocol))
    throw unexpectedResponse(base, 'an invalid address of the next page');
  return new URL(target, base).href;
}

/** An own property of an untrusted JSON value; `undefined` if it is absent or null. */
export function field(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null && Object.hasOwn(value, name)
    ? ((value as Record<string, unknown>)[name] ?? undefined)
    : undefined;
}

/** The value if it is a string. */
export function stringOf(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined;
}
