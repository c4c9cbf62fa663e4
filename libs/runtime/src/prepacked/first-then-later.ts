import type { OnnxRuntimeTensor } from '../onnxruntime/onnx-runtime.ts';
import { type RecordedRun, recordedRun, type RunnableSession } from './recorded-run.ts';

export interface Stages {
  /** Session of the first run. */
  readonly first: RunnableSession;
  /** Copies a tensor. Given if the first run is to be recorded. */
  readonly record?: ((tensor: OnnxRuntimeTensor) => OnnxRuntimeTensor) | undefined;
  /** Opens the session of all later runs after the first was released, so that no weight is in memory twice. */
  later(recorded: RecordedRun | undefined): Promise<RunnableSession>;
  /** Called after the release of a session with at most one run. */
  ended?(recorded: RecordedRun | undefined): Promise<void>;
}

/** Creates a session that delegates its first run to one onnxruntime session and all later runs to another. */
export function firstThenLater({ first, record, later, ended }: Stages): RunnableSession {
  let firstRun: Promise<unknown> | undefined;
  let recorded: RecordedRun | undefined;
  let replaced: Promise<RunnableSession> | undefined;
  const runFirst = async (feeds: Parameters<RunnableSession['run']>[0]): ReturnType<RunnableSession['run']> => {
    if (!record) return first.run(feeds);
    const { returned, ...run } = await recordedRun(first, feeds, record);
    recorded = run;
    return returned;
  };
  const releaseFirst = async (): Promise<void> => {
    await firstRun?.catch(() => undefined);
    await first.release();
  };
  const replace = async (): Promise<RunnableSession> => {
    await releaseFirst();
    return later(recorded);
  };
  return {
    async run(feeds) {
      if (!firstRun) {
        const run = runFirst(feeds);
        firstRun = run;
        return run;
      }
      replaced ??= replace();
      return (await replaced).run(feeds);
    },
    async settle() {
      if (firstRun) await (replaced ??= replace());
    },
    async release() {
      if (replaced) {
        // Nothing to release if it could not be opened.
        const session = await replaced.catch(() => undefined);
        return session?.release();
      }
      await releaseFirst();
      await ended?.(recorded);
    },
  };
}
