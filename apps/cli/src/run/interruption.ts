import type { Environment } from '../environment.ts';

/** Handler of Ctrl-C: the first one stops the run at the next token, the second one ends the process. */
export interface Interruption extends Disposable {
  readonly signal: AbortSignal;
}

export function listenForInterrupts(
  environment: Pick<Environment, 'signals' | 'stderr' | 'exitNow'>,
  quiet: boolean,
): Interruption {
  const controller = new AbortController();
  const listener = (): void => {
    if (controller.signal.aborted) return environment.exitNow();
    controller.abort();
    if (!quiet) environment.stderr.write('Stopping at the next token; press Ctrl-C again to quit immediately.\n');
  };
  environment.signals.on('SIGINT', listener);
  return { signal: controller.signal, [Symbol.dispose]: () => void environment.signals.off('SIGINT', listener) };
}

/** Whether an error is the standard one of an aborted call. */
export function isAbort(error: unknown): boolean {
  return error instanceof Error && error.name === 'AbortError';
}
