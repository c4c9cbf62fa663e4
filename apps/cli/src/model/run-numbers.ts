import type { LoadOptions } from '@blip2/blip2';
import { defined, expectThreads } from '@blip2/interfaces';

/** The numbers that a model is loaded with: threads, and rows of a decoding step. */
export interface LoadNumbers {
  readonly threads?: NonNullable<LoadOptions['threads']>;
  readonly rows?: number;
}

/**
 * The numbers of a run that may be resumed. They are recorded once they have been chosen, and a run that resumes it
 * uses them again, on any machine, so that results are the same.
 */
export interface RunNumbers {
  /** As chosen or recorded so far. */
  readonly current: LoadNumbers;
  /** Uses the numbers of an earlier run, as read from its record. */
  reuse(recorded: unknown): void;
  /** Uses the threads of a loaded model, and rows unless an earlier run had others. */
  choose(numbers: LoadNumbers): void;
}

/** @param given What the user has given, which an earlier run does not change. */
export function createRunNumbers(given: Pick<LoadNumbers, 'threads'>): RunNumbers {
  let current: LoadNumbers = given;
  return {
    get current() {
      return current;
    },
    reuse(recorded) {
      current = { ...numbersFrom(recorded), ...given };
    },
    choose(numbers) {
      current = { ...current, ...numbers, ...defined({ rows: current.rows ?? numbers.rows }) };
    },
  };
}

/** Numbers in a record; damaged ones are chosen again. */
function numbersFrom(value: unknown): LoadNumbers {
  const { threads, rows }: { readonly threads?: unknown; readonly rows?: unknown } = Object(value);
  return {
    ...defined({ threads: threads === undefined ? undefined : threadsFrom(threads) }),
    ...(typeof rows === 'number' && Number.isSafeInteger(rows) && rows > 0 && { rows }),
  };
}

function threadsFrom(value: unknown): LoadNumbers['threads'] {
  try {
    return expectThreads(value);
  } catch {
    return undefined;
  }
}
