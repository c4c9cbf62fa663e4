import { freemem, totalmem } from 'node:os';

/** Bytes of memory that this process may use: the machine's, or less where a container sets a limit. */
export function machineMemory(): { readonly totalBytes: number; readonly availableBytes: number } {
  // 0 or a number beyond the machine's memory: there is no limit.
  const limit = process.constrainedMemory();
  const totalBytes = limit > 0 ? Math.min(limit, totalmem()) : totalmem();
  return { totalBytes, availableBytes: Math.min(totalBytes, process.availableMemory?.() ?? freemem()) };
}
