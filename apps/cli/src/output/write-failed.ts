import { Blip2Error } from '@blip2/interfaces';

/** `WRITE_FAILED` for an error of the file system. */
export function writeFailed(file: string, cause: unknown): Blip2Error {
  const got = cause instanceof Error ? cause.message : String(cause);
  return new Blip2Error('WRITE_FAILED', 'The output cannot be written', { where: file, got, cause });
}
