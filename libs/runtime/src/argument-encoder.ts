import { Blip2Error } from '@blip2/interfaces';

import { encodeError } from './error-transfer.ts';
import type { Notice } from './part-messages.ts';
import { isRemotePart } from './remote-part.ts';
import { type EncodeReference, encodeValue, isPlainObject, type Marker, notTransferable } from './value-transfer.ts';

/** What arguments may refer to. */
export interface ArgumentContext {
  /** The handle behind a remote of the same host, and whether it was disposed of. */
  find(object: object): { readonly handle: number; readonly disposed: boolean } | undefined;
  notify(notice: Notice): void;
}

/** The signals and callbacks among the arguments of one request. */
export interface Loan {
  readonly signals: Map<object, number>;
  readonly callbacks: Map<object, number>;
  /** What a callback threw meanwhile: the request fails with it. */
  thrown: { readonly error: unknown } | undefined;
}

/** Encodes arguments on the caller's side, and stands behind the signals and callbacks among them. */
export interface ArgumentEncoder {
  /** INVALID_ARGUMENT naming the path for what cannot cross, DISPOSED for a part that is gone. */
  encode(args: readonly unknown[], where: string): { readonly encoded: unknown; readonly loan: Loan };
  runCallback(callback: number, args: unknown): void;
  /** The reason of a signal by its number. */
  abortReason(signal: number | undefined): unknown;
  /** The request is over. A part that it made may keep the signals and callbacks until it is disposed of. */
  settle(loan: Loan, keeper: number | undefined): void;
  takeBack(keeper: number): void;
}

interface SentSignal {
  readonly signal: AbortSignal;
  readonly onAbort: () => void;
}

/** Only a notification may run later and elsewhere: `onProgress`, `onToken`. */
const CALLBACK_PATH = /(^|\.)on[A-Z]\w*$/;

export function createArgumentEncoder(context: ArgumentContext): ArgumentEncoder {
  const signals = new Map<number, SentSignal>();
  const callbacks = new Map<number, (...args: unknown[]) => unknown>();
  const open = new Set<Loan>();
  const kept = new Map<number, Loan>();
  let nextId = 1;

  function lendSignal(signal: AbortSignal, loan: Loan): Marker {
    const id = loan.signals.get(signal) ?? nextId++;
    if (!loan.signals.has(signal)) {
      const onAbort = (): void => context.notify({ type: 'abort', signal: id, reason: encodeError(signal.reason) });
      signal.addEventListener('abort', onAbort, { once: true });
      signals.set(id, { signal, onAbort });
      loan.signals.set(signal, id);
    }
    return { $part: 'signal', signal: id, reason: signal.aborted ? encodeError(signal.reason) : undefined };
  }

  function lendCallback(callback: (...args: unknown[]) => unknown, loan: Loan): Marker {
    const id = loan.callbacks.get(callback) ?? nextId++;
    loan.callbacks.set(callback, id);
    callbacks.set(id, callback);
    return { $part: 'callback', callback: id };
  }

  function takeBackLoan(loan: Loan): void {
    for (const id of loan.callbacks.values()) callbacks.delete(id);
    for (const id of loan.signals.values()) {
      const sent = signals.get(id);
      sent?.signal.removeEventListener('abort', sent.onAbort);
      signals.delete(id);
    }
    if (loan.signals.size > 0) context.notify({ type: 'release', signals: [...loan.signals.values()] });
  }

  const referenceFor =
    (loan: Loan): EncodeReference =>
    (value, path) => {
      if (isFunction(value)) {
        if (CALLBACK_PATH.test(path)) return lendCallback(value, loan);
        throw notTransferable(path, 'a function');
      }
      if (value instanceof AbortSignal) return lendSignal(value, loan);
      const part = context.find(value);
      if (part?.disposed)
        throw new Blip2Error('DISPOSED', 'a part was passed on after it was disposed of', { where: path });
      if (part) return { $part: 'handle', handle: part.handle };
      if (isRemotePart(value)) throw notTransferable(path, 'a part of another host');
      if (isPlainObject(value)) return 'walk';
      throw notTransferable(path, `an instance of ${value.constructor.name}`);
    };

  return {
    encode(args, where) {
      const loan: Loan = { signals: new Map(), callbacks: new Map(), thrown: undefined };
      try {
        const encoded = encodeValue(args, where, referenceFor(loan));
        open.add(loan);
        return { encoded, loan };
      } catch (error) {
        takeBackLoan(loan);
        throw error;
      }
    },
    runCallback(id, args) {
      try {
        callbacks.get(id)?.(...(Array.isArray(args) ? args : []));
      } catch (error) {
        const [running] = open;
        // As with an event emitter: nobody is waiting to whom it could be told.
        if (!running) throw error;
        running.thrown ??= { error };
      }
    },
    abortReason: (id) => (id === undefined ? undefined : signals.get(id)?.signal.reason),
    settle(loan, keeper) {
      open.delete(loan);
      if (keeper === undefined) takeBackLoan(loan);
      else if (loan.signals.size + loan.callbacks.size > 0) kept.set(keeper, loan);
    },
    takeBack(keeper) {
      const loan = kept.get(keeper);
      if (loan) takeBackLoan(loan);
      kept.delete(keeper);
    },
  };
}

function isFunction(value: object): value is (...args: unknown[]) => unknown {
  return typeof value === 'function';
}
