import { addAbortSignal } from 'node:stream';

import { Blip2Error } from '@blip2/interfaces';

import type { Environment } from '../environment.ts';

/** Upper bound on encoded images in bytes: the largest images that can be decoded have about 200 MB. */
export const LARGEST_INPUT_BYTES: number = 512 * 2 ** 20;

/**
 * Reads all bytes of stdin. `what` names the expected content.
 * @throws Blip2Error `INVALID_ARGUMENT` if stdin is a terminal; `IMAGE_TOO_LARGE`; an `AbortError` if `signal` aborts.
 */
export async function readStdin(stdin: Environment['stdin'], what: string, signal: AbortSignal): Promise<Uint8Array> {
  if (stdin.isTTY === true)
    throw new Blip2Error('INVALID_ARGUMENT', `- reads ${what} from stdin, which is a terminal`, {
      fix: 'Pipe data into the command, or name a file',
    });
  addAbortSignal(signal, stdin);
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of stdin) {
    const bytes: Uint8Array = typeof chunk === 'string' ? Buffer.from(chunk) : chunk;
    length += bytes.length;
    if (length > LARGEST_INPUT_BYTES)
      throw new Blip2Error('IMAGE_TOO_LARGE', `stdin must hold at most ${LARGEST_INPUT_BYTES} bytes`);
    chunks.push(bytes);
  }
  return Buffer.concat(chunks, length);
}
