import { Blip2Error } from '@blip2/interfaces';

import { decodeError } from './error-transfer.ts';
import type { PartSnapshot } from './part-messages.ts';

/** Calls to the worker of a part. */
export interface PartCalls {
  call(handle: number, method: string, args: readonly unknown[]): Promise<unknown>;
  dispose(handle: number): Promise<void>;
}

/** A remote of a part in another thread, and the means to update it. */
export interface RemotePart {
  readonly part: object;
  readonly handle: number;
  readonly disposed: boolean;
  update(changes: Pick<PartSnapshot, 'properties' | 'failures'>): void;
}

const REMOTES = new WeakSet();

/** Returns true for remotes of any host. */
export function isRemotePart(object: object): boolean {
  return REMOTES.has(object);
}

/**
 * Creates a plain object with the interface of a part. Its data properties have the values after the last call, deeply
 * frozen except for typed arrays, or throw the error that they throw in the worker. Its methods return promises.
 * `dispose` and `Symbol.asyncDispose` may be called repeatedly; other calls after disposal reject with `DISPOSED`.
 */
export function createRemotePart({ handle, methods, ...first }: PartSnapshot, calls: PartCalls): RemotePart {
  const part: object = {};
  let disposal: Promise<void> | undefined;
  const define = (name: string | symbol, value: unknown, enumerable: boolean): void => {
    Object.defineProperty(part, name, { value, enumerable, configurable: true, writable: false });
  };
  const update: RemotePart['update'] = ({ properties, failures }) => {
    for (const [name, value] of Object.entries(properties)) define(name, deepFreeze(value), true);
    for (const [name, failure] of Object.entries(failures)) {
      const fail = (): never => {
        throw decodeError(failure);
      };
      Object.defineProperty(part, name, { get: fail, enumerable: true, configurable: true });
    }
  };
  const dispose = (): Promise<void> => (disposal ??= calls.dispose(handle));

  update(first);
  for (const method of methods ?? []) {
    define(
      method,
      async (...args: unknown[]): Promise<unknown> => {
        if (disposal) throw new Blip2Error('DISPOSED', `${method} was called on a disposed part`);
        return calls.call(handle, method, args);
      },
      true,
    );
  }
  define('dispose', dispose, false);
  define(Symbol.asyncDispose, dispose, false);
  REMOTES.add(part);
  return {
    part,
    handle,
    update,
    get disposed() {
      return disposal !== undefined;
    },
  };
}

/** Freezes a copy, since writing to it would not change the part. Typed arrays cannot be frozen. */
function deepFreeze(value: unknown): unknown {
  if (typeof value !== 'object' || value === null || ArrayBuffer.isView(value) || Object.isFrozen(value)) return value;
  Object.freeze(value);
  for (const item of Object.values(value)) deepFreeze(item);
  return value;
}
