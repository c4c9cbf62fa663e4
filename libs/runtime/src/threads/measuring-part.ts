/** The part that measures threads in a worker, which imports this module. */
import { explainThreads, type MeasuringPart } from './default-threads.ts';

/** Measures on the calling thread, a worker, and returns a part with the result. */
export async function measuringPart(): Promise<MeasuringPart> {
  return { explained: await explainThreads({ weightBytes: () => Infinity }), [Symbol.asyncDispose]: async () => {} };
}
