import { createHash } from 'node:crypto';

/** Size of a key in bytes: SHA-256. */
export const KEY_BYTES = 32;

/** The key of an image: the SHA-256 of its file, in hexadecimal. */
export function imageKey(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}
