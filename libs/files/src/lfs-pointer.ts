import { Blip2Error, defined, type ErrorCode } from '@blip2/interfaces';

/** First characters of a Git LFS pointer (https://github.com/git-lfs/git-lfs/blob/main/docs/spec.md). */
const POINTER_START = 'version https://git-lfs.github.com/spec/';
/** Maximum size of a Git LFS pointer, from its specification. */
export const MAX_POINTER_BYTES = 1024;

/**
 * Refuses a Git LFS pointer: the small text file that a clone contains in place of a large file that was not fetched.
 * `bytes` are the first bytes of the file, `where` is its path.
 * @throws Blip2Error `code` if the bytes are a pointer.
 */
export function refuseLfsPointer(bytes: Uint8Array, where: string, code: ErrorCode): void {
  const text = new TextDecoder('latin1').decode(bytes.subarray(0, MAX_POINTER_BYTES));
  if (!text.startsWith(POINTER_START)) return;
  const size = /^size (\d{1,20})\r?$/m.exec(text)?.[1];
  throw new Blip2Error(code, 'The file is a Git LFS pointer, not the file itself', {
    where,
    got: 'a pointer',
    fix: 'Run git lfs pull in the clone, or fetch the model with blip2 download OWNER/NAME',
    ...defined({ expected: size === undefined ? undefined : `${size} bytes` }),
  });
}
