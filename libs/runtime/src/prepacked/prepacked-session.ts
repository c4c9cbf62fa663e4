import { join } from 'node:path';

import { Blip2Error, type OnnxModel } from '@blip2/interfaces';

import type { OnnxRuntimeTensor } from '../onnxruntime/onnx-runtime.ts';
import { alignPrepacked } from './align-prepacked.ts';
import { firstThenLater } from './first-then-later.ts';
import type { PrepackedFiles } from './prepacked-files.ts';
import { PREPACKED_GRAPH, PREPACKED_WEIGHTS } from './prepacked-manifest.ts';
import { type RecordedRun, repeatsRun, type RunnableSession } from './recorded-run.ts';

export interface SessionOpeners {
  /** Opens a session with weights mapped in place. */
  plain(): Promise<RunnableSession>;
  /** Opens a session with weights prepacked on the heap and, if a folder is given, saved there. */
  prepacked(folder?: string): Promise<RunnableSession>;
  /** Opens a session over a saved graph, with its prepacked weights mapped. */
  saved(graph: string): Promise<RunnableSession>;
  /** Copies a tensor with its elements. */
  copy(tensor: OnnxRuntimeTensor): OnnxRuntimeTensor;
}

/**
 * Opens a session with prepacked weights, mapped from files if possible.
 *
 * Files are trusted once a session over them has repeated the first run of the session that they replace bit by bit.
 * They are compared before the second run or on release, whichever comes first, so that a single image does not wait
 * for it. If results differ, the files are removed, the difference is noted, and weights are prepacked on the heap.
 *
 * With `afterFirstRun` the first run uses plain weights, so that a single image does not pay for prepacking; if there
 * will be `repeated` runs, it uses prepacked weights where files exist.
 */
export async function openPrepacked(
  when: NonNullable<OnnxModel['prepack']>,
  files: PrepackedFiles | undefined,
  open: SessionOpeners,
  repeated = false,
): Promise<RunnableSession> {
  if (when === 'onLoad') return (await openTrusted(files, open)) ?? openOnLoad(files, open);
  const ready = repeated ? await openTrusted(files, open) : undefined;
  if (ready) return ready;
  const record = files && !(await isKnown(files)) ? open.copy : undefined;
  const later = async (first: RecordedRun | undefined): Promise<RunnableSession> =>
    (await openTrusted(files, open)) ?? openLater(files, first, open);
  return firstThenLater({
    first: await open.plain(),
    record,
    // Prepacking may run out of memory.
    later: (first) => later(first).catch(() => open.plain()),
  });
}

interface Written {
  readonly session: RunnableSession;
  readonly folder?: string;
}

async function openOnLoad(files: PrepackedFiles | undefined, open: SessionOpeners): Promise<RunnableSession> {
  const { session: first, folder } = await write(files, open);
  if (!files || folder === undefined) return first;
  return firstThenLater({
    first,
    record: open.copy,
    later: async (run) => (await compared(files, folder, run, open)) ?? open.prepacked(),
    ended: async (run) => {
      const session = await compared(files, folder, run, open);
      await session?.release();
    },
  });
}

async function openLater(
  files: PrepackedFiles | undefined,
  first: RecordedRun | undefined,
  open: SessionOpeners,
): Promise<RunnableSession> {
  // Files need a recorded run to be compared with.
  const { session, folder } = await write(first && files, open);
  if (!files || folder === undefined) return session;
  await session.release();
  return (await compared(files, folder, first, open)) ?? open.prepacked();
}

async function isKnown(files: PrepackedFiles): Promise<boolean> {
  // Weights are compared with their checksum before the second run, so that a single image does not wait for that.
  return (await files.known()) || files.refused();
}

async function openTrusted(
  files: PrepackedFiles | undefined,
  open: SessionOpeners,
): Promise<RunnableSession | undefined> {
  const graph = await files?.trusted();
  if (graph === undefined) return undefined;
  try {
    return await open.saved(graph);
  } catch (error) {
    if (error instanceof Blip2Error && error.code === 'MODEL_CHANGED') throw error;
    // Damaged: they will be written again.
    await files?.remove();
    return undefined;
  }
}

/** Opens a session with weights prepacked on the heap, and saves them to a temporary folder if possible. */
async function write(files: PrepackedFiles | undefined, open: SessionOpeners): Promise<Written> {
  const folder = files && !(await files.refused()) ? await files.begin() : undefined;
  if (!files || folder === undefined) return { session: await open.prepacked() };
  const session = await open.prepacked(folder).catch(() => undefined);
  if (session) return { session, folder };
  // For example, the disk is full.
  await files.remove(folder);
  return { session: await open.prepacked() };
}

/** Returns the session over new files if it repeats the run; then they are kept, and removed otherwise. */
async function compared(
  files: PrepackedFiles,
  folder: string,
  run: RecordedRun | undefined,
  open: SessionOpeners,
): Promise<RunnableSession | undefined> {
  const graph = join(folder, PREPACKED_GRAPH);
  try {
    if (!run) return undefined;
    await alignPrepacked(graph, join(folder, PREPACKED_WEIGHTS));
    const session = await open.saved(graph);
    const repeats = await repeatsRun(session, run).catch(() => false);
    if (repeats && (await files.trust(folder))) return session;
    await session.release();
    if (!repeats) await files.refuse();
    // Some systems cannot rename a folder with a mapped file.
    else if (await files.trust(folder)) return await openTrusted(files, open);
    return undefined;
  } catch {
    // There was no space to align them, or another process removed them.
    return undefined;
  } finally {
    await files.remove(folder);
  }
}
