import type { Environment } from '../../environment.ts';
import { onEndingSignals } from '../../run/interruption.ts';

/**
 * Handler of Ctrl-C in a conversation: it stops the answer in progress, or ends the conversation if there is none. A
 * second Ctrl-C for the same answer or end ends the process.
 */
export interface ChatInterrupts extends Disposable {
  /** Aborted when the conversation ends. */
  readonly signal: AbortSignal;
  /** Directs Ctrl-C to one answer, until the result is disposed of. */
  beginAnswer(): AnswerInterrupt;
}

export interface AnswerInterrupt extends Disposable {
  readonly signal: AbortSignal;
}

export function listenForChatInterrupts({
  signals,
  exitNow,
}: Pick<Environment, 'signals' | 'exitNow'>): ChatInterrupts {
  const whole = new AbortController();
  let answer: AbortController | undefined;
  const listening = onEndingSignals(signals, (name) => {
    const current = answer ?? whole;
    if (current.signal.aborted) return exitNow(name);
    current.abort();
    // Only Ctrl-C is meant for the answer.
    if (name !== 'SIGINT') whole.abort();
  });
  return {
    signal: whole.signal,
    beginAnswer() {
      const controller = new AbortController();
      answer = controller;
      return { signal: controller.signal, [Symbol.dispose]: () => void (answer = undefined) };
    },
    [Symbol.dispose]: () => listening[Symbol.dispose](),
  };
}
