import { Blip2Error, onAbort } from '@blip2/interfaces';

import { encodeError } from './error-transfer.ts';
import type { Notice } from './part-messages.ts';
import { isRemotePart } from './remote-part.ts';
import { type EncodeReference, encodeValue, isPlainObject, type Marker, notTransferable } from './value-transfer.ts';

/** The host-side state that arguments may refer to. */
export interface ArgumentContext {
  /** Whether the worker is a thread, which Blobs can be sent to. */
  readonly isThread: boolean;
  /** The handle of a remote of the same host, and whether it has been disposed. */
  find(object: object): { readonly handle: number; readonly disposed: boolean } | undefined;
  notify(notice: Notice): void;
}

/** Signals and callbacks that one request transferred to the worker, by object. */
export interface TransferredReferences {
  readonly signals: Map<AbortSignal, number>;
  readonly callbacks: Map<object, number>;
  /** Handles of parts among the arguments. */
  readonly parts: Set<number>;
  /** Error that a callback threw while the request was pending: the request fails with it. */
  thrown: { readonly error: unknown } | undefined;
}

/**
 * Encodes arguments on the caller's thread, and forwards aborts and callbacks for the signals and functions in them.
 */
export interface ArgumentEncoder {
  /**
   * Encodes the arguments of one request.
   *
   * @throws Blip2Error `INVALID_ARGUMENT` with the path of a value that cannot be transferred.
   * @throws Blip2Error `DISPOSED` for a disposed part.
   */
  encode(
    args: readonly unknown[],
    where: string,
    options?: EncodeOptions,
  ): { readonly encoded: unknown; readonly references: TransferredReferences };
  /** Calls a transferred callback. */
  runCallback(callback: number, args: unknown): void;
  /** The abort reason of a transferred signal. */
  abortReason(signal: number | undefined): unknown;
  /** Ends a request. A part that it created, its `owner`, keeps the signals and callbacks until it is disposed. */
  settle(references: TransferredReferences, owner: number | undefined): void;
  /** Releases the signals and callbacks of a part that has been disposed. */
  release(owner: number): void;
}

export interface EncodeOptions {
  /** Omit signals and callbacks: they belonged to the first creation of a part that is created again. */
  readonly isRepeated?: boolean;
}

interface SentSignal {
  readonly signal: AbortSignal;
  /** Ends observing it. */
  readonly stop: () => void;
}

/** Only notifications (`onProgress`, `onToken`) can be called later on another thread. */
const CALLBACK_PATH = /(^|\.)on[A-Z]\w*$/;

export function createArgumentEncoder(context: ArgumentContext): ArgumentEncoder {
  const signals = new Map<number, SentSignal>();
  const callbacks = new Map<number, (...args: unknown[]) => unknown>();
  const pending = new Set<TransferredReferences>();
  const owned = new Map<number, TransferredReferences>();
  let nextId = 1;

  function transferSignal(signal: AbortSignal, references: TransferredReferences): Marker {
    const id = references.signals.get(signal) ?? nextId++;
    if (!references.signals.has(signal)) {
      const notify = (): void => context.notify({ type: 'abort', signal: id, reason: encodeError(signal.reason) });
      signals.set(id, { signal, stop: onAbort(signal, notify) });
      references.signals.set(signal, id);
    }
    return { $part: 'signal', signal: id, reason: signal.aborted ? encodeError(signal.reason) : undefined };
  }

  function transferCallback(callback: (...args: unknown[]) => unknown, references: TransferredReferences): Marker {
    const id = references.callbacks.get(callback) ?? nextId++;
    references.callbacks.set(callback, id);
    callbacks.set(id, callback);
    return { $part: 'callback', callback: id };
  }

  function releaseReferences(references: TransferredReferences): void {
    for (const id of references.callbacks.values()) callbacks.delete(id);
    for (const id of references.signals.values()) {
      signals.get(id)?.stop();
      signals.delete(id);
    }
    if (references.signals.size > 0) context.notify({ type: 'release', signals: [...references.signals.values()] });
  }

  const referenceFor =
    (references: TransferredReferences, { isRepeated = false }: EncodeOptions): EncodeReference =>
    (value, path) => {
      if (isRepeated && (isFunction(value) || value instanceof AbortSignal)) return 'omit';
      if (isFunction(value)) {
        if (CALLBACK_PATH.test(path)) return transferCallback(value, references);
        throw notTransferable(path, 'a function');
      }
      if (value instanceof AbortSignal) return transferSignal(value, references);
      const part = context.find(value);
      if (part?.disposed)
        throw new Blip2Error('DISPOSED', 'A disposed part cannot be passed as an argument', { where: path });
      if (part) {
        references.parts.add(part.handle);
        return { $part: 'handle', handle: part.handle };
      }
      if (isRemotePart(value)) throw notTransferable(path, 'a part of another host');
      if (value instanceof Blob && context.isThread) return 'keep';
      if (isPlainObject(value)) return 'walk';
      throw notTransferable(path, `an instance of ${value.constructor.name}`);
    };

  return {
    encode(args, where, options = {}) {
      const references: TransferredReferences = {
        signals: new Map(),
        callbacks: new Map(),
        parts: new Set(),
        thrown: undefined,
      };
      try {
        const encoded = encodeValue(args, where, referenceFor(references, options));
        pending.add(references);
        return { encoded, references };
      } catch (error) {
        releaseReferences(references);
        throw error;
      }
    },
    runCallback(id, args) {
      try {
        callbacks.get(id)?.(...(Array.isArray(args) ? args : []));
      } catch (error) {
        const [running] = pending;
        // No request is pending that could fail with it: throw it here, as an event emitter does.
        if (!running) throw error;
        running.thrown ??= { error };
      }
    },
    abortReason: (id) => (id === undefined ? undefined : signals.get(id)?.signal.reason),
    settle(references, owner) {
      pending.delete(references);
      if (owner === undefined) releaseReferences(references);
      else if (references.signals.size + references.callbacks.size > 0) owned.set(owner, references);
    },
    release(owner) {
      const references = owned.get(owner);
      if (references) releaseReferences(references);
      owned.delete(owner);
    },
  };
}

function isFunction(value: object): value is (...args: unknown[]) => unknown {
  return typeof value === 'function';
}
