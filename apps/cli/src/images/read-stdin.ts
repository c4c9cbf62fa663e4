import { addAbortSignal } from 'node:stream';

import { Blip2Error } from '@blip2/interfaces';

import type { Environment } from '../environment.ts';

/** More than this is not an image: the largest that are decoded have some 200 MB. */
const LARGEST_INPUT_BYTES = 512 * 2 ** 20;

/** All bytes of stdin. `what` names what is expected there. Throws `AbortError` once `signal` is aborted. */
export async function readStdin(stdin: Environment['stdin'], what: string, signal: AbortSignal): Promise<Uint8Array> {
  if (stdin.isTTY === true)
    throw new Blip2Error('INVALID_ARGUMENT', `- reads ${what} from stdin, which is a terminal`, {
      fix: 'Pipe something in, or name a file',
    });
  addAbortSignal(signal, stdin);
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of stdin) {
    const bytes: Uint8Array = typeof chunk === 'string' ? Buffer.from(chunk) : chunk;
    length += bytes.length;
    if (length > LARGEST_INPUT_BYTES)
      throw new Blip2Error('IMAGE_TOO_LARGE', `stdin holds more than ${LARGEST_INPUT_BYTES} bytes`);
    chunks.push(bytes);
  }
  return Buffer.concat(chunks, length);
}
