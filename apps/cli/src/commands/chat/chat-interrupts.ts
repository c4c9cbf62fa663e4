import type { Environment } from '../../environment.ts';

/**
 * Ctrl-C in a conversation: while an answer is written it stops that, else it ends the conversation; once more ends the
 * process.
 */
export interface ChatInterrupts extends Disposable {
  /** Of the whole conversation. */
  readonly signal: AbortSignal;
  /** A signal for one answer; until it is disposed of, Ctrl-C is about this answer. */
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
  const listener = (): void => {
    const current = answer ?? whole;
    if (current.signal.aborted) exitNow();
    else current.abort();
  };
  signals.on('SIGINT', listener);
  return {
    signal: whole.signal,
    beginAnswer() {
      const controller = new AbortController();
      answer = controller;
      return { signal: controller.signal, [Symbol.dispose]: () => void (answer = undefined) };
    },
    [Symbol.dispose]: () => void signals.off('SIGINT', listener),
  };
}
