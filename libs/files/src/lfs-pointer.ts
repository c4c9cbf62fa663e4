import { Blip2Error, type ErrorCode } from '@blip2/interfaces';

/** How the text begins that git stores in place of a large file (https://github.com/git-lfs/git-lfs/blob/main/docs/spec.md). */
const BEGINNING = 'version https://git-lfs.github.com/spec/';
/** No pointer is longer, says its specification. */
export const MAX_POINTER_BYTES = 1024;

/**
 * Refuses what a clone has in place of a large file that was not fetched. `bytes` begin where the file does. @throws
 * Blip2Error with `code`.
 */
export function refuseLfsPointer(bytes: Uint8Array, where: string, code: ErrorCode): void {
  const text = new TextDecoder('latin1').decode(bytes.subarray(0, MAX_POINTER_BYTES));
  if (!text.startsWith(BEGINNING)) return;
  const size = /^size (\d{1,20})\r?$/m.exec(text)?.[1];
  throw new Blip2Error(code, 'The file is a Git LFS pointer: it names a large file and does not hold it', {
    where,
    ...(size !== undefined && { expected: `${size} bytes` }),
    got: 'a pointer',
    fix: 'Run git lfs pull in the clone, or fetch the model with blip2 download OWNER/NAME',
  });
}
