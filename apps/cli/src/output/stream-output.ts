import { constants, openSync, type Stats } from 'node:fs';
import { open } from 'node:fs/promises';
import { Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

import { systemPath } from '../images/path-names.ts';

/** An output that is written directly: a pipe, a device, or an open file of a process. */
export interface StreamOutput {
  /** Waits for the reader of a pipe. Throws Node's `EPIPE` if it has ended. */
  write(content: string | Uint8Array): Promise<void>;
  close(): Promise<void>;
}

/** Milliseconds between two looks for the reader of a named pipe. */
const POLL_INTERVAL = 50;

/** Opens an existing file that is not replaced. For a named pipe it waits for a reader, as the shell does. */
export async function openStream(
  path: string,
  stats: Stats | undefined,
  signal: AbortSignal | undefined,
): Promise<StreamOutput> {
  if (stats?.isFIFO()) return pipeOutput(await openPipe(path, signal));
  // A regular file that the shell opened for this process: append, so that what is in it is kept.
  const handle = await open(systemPath(path), constants.O_WRONLY | (stats?.isFile() ? constants.O_APPEND : 0));
  return {
    write: (content) => handle.appendFile(content),
    close: () => handle.close(),
  };
}

/** Opens without blocking: a blocked thread would prevent the process from ending. */
async function openPipe(path: string, signal: AbortSignal | undefined): Promise<number> {
  for (;;) {
    try {
      return openSync(systemPath(path), constants.O_WRONLY | constants.O_NONBLOCK);
    } catch (error) {
      if (!(error instanceof Error && 'code' in error && error.code === 'ENXIO')) throw error;
      // A pipe without a name whose reader has ended never gets another one.
      if (path.startsWith('/proc/') || path.startsWith('/dev/fd/'))
        throw Object.assign(new Error('EPIPE: broken pipe, write'), { code: 'EPIPE', cause: error });
    }
    await sleep(POLL_INTERVAL, undefined, { signal });
  }
}

function pipeOutput(fd: number): StreamOutput {
  const socket = new Socket({ fd, readable: false, writable: true });
  // Every write gets the error in its callback.
  socket.on('error', () => {});
  return {
    write: (content) =>
      new Promise((resolve, reject) => void socket.write(content, (error) => (error ? reject(error) : resolve()))),
    close: () =>
      new Promise((resolve) => {
        if (socket.destroyed) return resolve();
        socket.once('close', () => resolve());
        socket.end(() => socket.destroy());
      }),
  };
}
