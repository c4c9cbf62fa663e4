import { realpath } from 'node:fs/promises';
import { isAbsolute, relative, resolve, sep } from 'node:path';

import { readLimited } from '@blip2/files';
import { Blip2Error, mustBe } from '@blip2/interfaces';

/** Which images tools may read. */
export interface ImageAccess {
  /** Folders whose files may be read, with everything below them. */
  readonly roots: readonly string[];
  /** Fetch http(s) images from public addresses. Default: false. */
  readonly allowImageUrls?: boolean;
}

/** Most bytes of a file. */
const MAX_FILE_BYTES = 100_000_000;

/**
 * The image that a client names: a file below a root, a `data:` URL, or an http(s) URL where these are allowed.
 * @returns Bytes, or a `data:` or http(s) URL.
 * @throws Blip2Error `INVALID_ARGUMENT` for any other name, which does not tell whether a file outside exists;
 * `INVALID_IMAGE` for what is not a regular file, `IMAGE_TOO_LARGE`.
 */
export async function openImage(
  name: string,
  { roots, allowImageUrls = false }: ImageAccess,
): Promise<Uint8Array | string> {
  if (/^data:/i.test(name)) return name;
  if (/^https?:\/\//i.test(name)) {
    if (allowImageUrls) return name;
    throw new Blip2Error('INVALID_ARGUMENT', 'image must be a file or a data: URL; URLs are not fetched', {
      argument: 'image',
      fix: 'Save the image to a file, or start the server with --allow-image-urls',
    });
  }
  const path = name.startsWith('file://') ? pathOfUrl(name) : name;
  for (const root of roots) {
    const file = await fileBelow(root, path);
    if (file !== undefined)
      return readLimited(file, MAX_FILE_BYTES, { code: 'IMAGE_TOO_LARGE', where: name, fix: 'Pass an image' });
  }
  throw new Blip2Error('INVALID_ARGUMENT', 'image must be an existing file in an allowed folder', {
    argument: 'image',
    expected: roots.join(', '),
    got: name.slice(0, MAX_SHOWN_LENGTH),
    fix: 'Copy the file there, or start the server with another --root',
  });
}

const MAX_SHOWN_LENGTH = 200;

/** The real path of a file below a folder, with links resolved; `undefined` if it is elsewhere or does not exist. */
async function fileBelow(root: string, path: string): Promise<string | undefined> {
  if (path.includes('\0')) return undefined;
  const [folder, file] = await Promise.all([root, resolve(root, path)].map((each) => realpath(each).catch(nothing)));
  if (folder === undefined || file === undefined) return undefined;
  const way = relative(folder, file);
  return way === '' || way === '..' || way.startsWith(`..${sep}`) || isAbsolute(way) ? undefined : file;
}

const nothing = (): undefined => undefined;

function pathOfUrl(url: string): string {
  try {
    const { pathname, host } = new URL(url);
    if (host === '') return decodeURIComponent(pathname);
  } catch {
    // Reported below.
  }
  throw mustBe('image', 'a file, a data: URL or a file:// URL of this machine', url);
}
