/** A module of its own so that a worker can import it. */
import { defaultThreads, type MeasuringPart } from './default-threads.ts';

/** Measures on the thread that this is called on, which the caller's event loop is not. */
export async function measuringPart(): Promise<MeasuringPart> {
  return { threads: await defaultThreads({ weightBytes: () => Infinity }), [Symbol.asyncDispose]: async () => {} };
}
