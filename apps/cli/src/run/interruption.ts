import type { Environment } from '../environment.ts';
import { ENDING_SIGNALS, type EndingSignal, type ExitCode } from '../exit-code.ts';

/** The first signal that each source of signals emitted. */
const received = new WeakMap<object, EndingSignal>();

/** Handler of signals: the first one stops the run at the next token, the second one ends the process. */
export interface Interruption extends Disposable {
  readonly signal: AbortSignal;
}

export function listenForInterrupts(
  environment: Pick<Environment, 'signals' | 'stderr' | 'exitNow'>,
  quiet: boolean,
): Interruption {
  const controller = new AbortController();
  const listening = onEndingSignals(environment.signals, (name) => {
    if (controller.signal.aborted) return environment.exitNow(name);
    controller.abort();
    const again = name === 'SIGINT' ? '; press Ctrl-C again to quit immediately' : '';
    if (!quiet) environment.stderr.write(`Stopping at the next token${again}.\n`);
  });
  return { signal: controller.signal, [Symbol.dispose]: () => listening[Symbol.dispose]() };
}

/** Calls `listener` for every signal that ends a run, until disposal. */
export function onEndingSignals(signals: Environment['signals'], listener: (name: EndingSignal) => void): Disposable {
  const handlers = (['SIGINT', 'SIGTERM', 'SIGHUP'] as const).map((name) => {
    const handler = (): void => {
      if (!received.has(signals)) received.set(signals, name);
      listener(name);
    };
    signals.on(name, handler);
    return [name, handler] as const;
  });
  return {
    [Symbol.dispose]() {
      for (const [name, handler] of handlers) signals.off(name, handler);
    },
  };
}

/** The exit code of a run that a signal stopped. */
export function interruptedExitCode({ signals }: Pick<Environment, 'signals'>): ExitCode {
  return ENDING_SIGNALS[received.get(signals) ?? 'SIGINT'];
}

/** Whether an error is the standard one of an aborted call. */
export function isAbort(error: unknown): boolean {
  return error instanceof Error && error.name === 'AbortError';
}
