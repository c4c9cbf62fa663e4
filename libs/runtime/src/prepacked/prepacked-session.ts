import { join } from 'node:path';

import type { OnnxModel } from '@blip2/interfaces';

import type { OnnxRuntimeTensor } from '../onnxruntime/onnx-runtime.ts';
import { alignPrepacked } from './align-prepacked.ts';
import { firstThenLater } from './first-then-later.ts';
import { PREPACKED_GRAPH, PREPACKED_WEIGHTS, type PrepackedFiles } from './prepacked-files.ts';
import { type RecordedRun, repeatsRun, type RunnableSession } from './recorded-run.ts';

export interface SessionOpeners {
  /** With the weights mapped in place. */
  plain(): Promise<RunnableSession>;
  /** With weights prepacked on the heap, which are also written into a folder if one is named. */
  prepacked(folder?: string): Promise<RunnableSession>;
  /** With prepacked weights mapped from the files of a graph. */
  saved(graph: string): Promise<RunnableSession>;
  /** Copies a tensor with its elements. */
  copy(tensor: OnnxRuntimeTensor): OnnxRuntimeTensor;
}

/**
 * A session with prepacked weights, mapped from files where that is possible.
 *
 * Files are trusted once a session over them has repeated the first run of the session that they replace, bit by bit.
 * They are compared before the second run or when the session is released, whichever comes first: one image does not
 * wait for it. If they differ they are removed, that is remembered, and the session has its weights on the heap.
 *
 * `afterFirstRun`: the first run is made with plain weights; prepacking takes longer than it saves on one image.
 */
export async function openPrepacked(
  when: NonNullable<OnnxModel['prepack']>,
  files: PrepackedFiles | undefined,
  open: SessionOpeners,
): Promise<RunnableSession> {
  if (when === 'onLoad') return (await openTrusted(files, open)) ?? openOnLoad(files, open);
  const record = files && !(await isKnown(files)) ? open.copy : undefined;
  const later = async (first: RecordedRun | undefined): Promise<RunnableSession> =>
    (await openTrusted(files, open)) ?? openLater(files, first, open);
  return firstThenLater({
    first: await open.plain(),
    record,
    // Prepacking may need more memory than there is.
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
  // Without a run to compare with, files could not be trusted.
  const { session, folder } = await write(first && files, open);
  if (!files || folder === undefined) return session;
  await session.release();
  return (await compared(files, folder, first, open)) ?? open.prepacked();
}

async function isKnown(files: PrepackedFiles): Promise<boolean> {
  return (await files.trusted()) !== undefined || files.refused();
}

async function openTrusted(
  files: PrepackedFiles | undefined,
  open: SessionOpeners,
): Promise<RunnableSession | undefined> {
  const graph = await files?.trusted();
  if (graph === undefined) return undefined;
  try {
    return await open.saved(graph);
  } catch {
    // Damaged: they are made again.
    await files?.remove();
    return undefined;
  }
}

/** A session with prepacked weights on the heap, and the folder of its files, if they could be written. */
async function write(files: PrepackedFiles | undefined, open: SessionOpeners): Promise<Written> {
  const folder = files && !(await files.refused()) ? await files.begin() : undefined;
  if (!files || folder === undefined) return { session: await open.prepacked() };
  const session = await open.prepacked(folder).catch(() => undefined);
  if (session) return { session, folder };
  // The disk is full, say.
  await files.remove(folder);
  return { session: await open.prepacked() };
}

/** The session over new files, if it repeats a run; then they are kept. Otherwise they are removed. */
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
    // Some systems rename no folder with a mapped file.
    else if (await files.trust(folder)) return await openTrusted(files, open);
    return undefined;
  } catch {
    // No room to align them, or somebody removed them.
    return undefined;
  } finally {
    await files.remove(folder);
  }
}
