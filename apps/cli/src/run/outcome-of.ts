import { originalError } from '../failure.ts';
import type { Outcome } from '../output/result-sink.ts';
import { isAbort } from './interruption.ts';

/**
 * Does the work of a run, and closes its output however the work ends. An interrupted run is no error; all other errors
 * are thrown.
 */
export async function outcomeOf(
  work: () => Promise<void>,
  close: (outcome: Outcome) => Promise<void>,
  signal: AbortSignal,
): Promise<Exclude<Outcome, 'failed'>> {
  let outcome: Outcome = 'failed';
  try {
    await work();
    outcome = 'finished';
  } catch (error) {
    if (!signal.aborted || !isAbort(originalError(error))) throw error;
    outcome = 'interrupted';
  } finally {
    await close(outcome);
  }
  return outcome;
}
