import type { OnnxRuntimeSession } from './onnx-runtime.ts';

/** What a loaded graph needs of a session of the runtime. */
export type RunnableSession = Pick<OnnxRuntimeSession, 'run' | 'release'>;

export interface SessionOpeners {
  /** With the weights as they lie. */
  plain(): Promise<RunnableSession>;
  /** With weights laid out for their kernels. */
  packed(): Promise<RunnableSession>;
}

/**
 * Makes its first run with the weights as they lie, and all others with weights laid out for their kernels: whoever has
 * one image does not wait for that. Integers are
 * added up exactly either way, so the results are the same, bit by bit. The first session goes before the second comes,
 * so that no weight is in memory twice.
 */
export async function packedLater(open: SessionOpeners): Promise<RunnableSession> {
  const plain = await open.plain();
  let first: ReturnType<RunnableSession['run']> | undefined;
  let later: Promise<RunnableSession> | undefined;
  const replaced = async (): Promise<RunnableSession> => {
    await first?.catch(() => undefined);
    await plain.release();
    // Packing may need memory that there is not.
    return open.packed().catch(() => open.plain());
  };
  return {
    async run(feeds) {
      if (!first) return (first = plain.run(feeds));
      later ??= replaced();
      return (await later).run(feeds);
    },
    async release() {
      await (await (later ?? plain)).release();
    },
  };
}
