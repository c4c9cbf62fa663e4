import type { OnnxRuntimeSession } from './onnx-runtime.ts';

/** What a loaded graph needs of a session of the runtime. */
export type RunnableSession = Pick<OnnxRuntimeSession, 'run' | 'release'>;

/**
 * Makes its first run with the weights as they lie, and all others with weights laid out for their kernels: whoever has one picture does not wait for that. Integers are
 * added up exactly either way, so the results are the same, bit by bit. Where `pack` fails, `plain` does.
 */
export function packedLater(plain: RunnableSession, pack: () => Promise<RunnableSession>): RunnableSession {
  let hasRun = false;
  let packed: Promise<RunnableSession> | undefined;
  const replaced = async (): Promise<RunnableSession> => {
    const session = await pack().catch(() => undefined);
    if (!session) return plain;
    await plain.release();
    return session;
  };
  return {
    async run(feeds) {
      if (hasRun) packed ??= replaced();
      hasRun = true;
      return (await (packed ?? plain)).run(feeds);
    },
    async release() {
      await (await (packed ?? plain)).release();
    },
  };
}
