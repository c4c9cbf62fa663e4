import { Blip2Error } from '@blip2/interfaces';

import { decodeError } from './error-transfer.ts';
import type { PartSnapshot } from './part-messages.ts';

/** What a remote needs of the thread in which its part lives. */
export interface PartCalls {
  call(handle: number, method: string, args: readonly unknown[]): Promise<unknown>;
  dispose(handle: number): Promise<void>;
}

/** A stand-in of a part that lives elsewhere, and the way to refresh what it shows. */
export interface RemotePart {
  readonly part: object;
  readonly handle: number;
  readonly disposed: boolean;
  update(changes: Pick<PartSnapshot, 'properties' | 'failures'>): void;
}

const everyRemote = new WeakSet();

/** True for the remotes of every host. */
export function isRemotePart(object: object): boolean {
  return everyRemote.has(object);
}

/**
 * A plain object with the part's interface: its data properties as they were after the last call, deeply frozen but for
 * typed arrays, or failing as they do there; its methods, each returning a promise; `dispose` and
 * `Symbol.asyncDispose`, which may be called again.
 * A call after disposal rejects with DISPOSED.
 */
export function createRemotePart({ handle, methods, ...first }: PartSnapshot, calls: PartCalls): RemotePart {
  const part: object = {};
  let disposal: Promise<void> | undefined;
  const show = (name: string | symbol, value: unknown, enumerable: boolean): void => {
    Object.defineProperty(part, name, { value, enumerable, configurable: true, writable: false });
  };
  const update: RemotePart['update'] = ({ properties, failures }) => {
    for (const [name, value] of Object.entries(properties)) show(name, deepFreeze(value), true);
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
    show(
      method,
      async (...args: unknown[]): Promise<unknown> => {
        if (disposal) throw new Blip2Error('DISPOSED', `${method} was called on a part that was disposed of`);
        return calls.call(handle, method, args);
      },
      true,
    );
  }
  show('dispose', dispose, false);
  show(Symbol.asyncDispose, dispose, false);
  everyRemote.add(part);
  return {
    part,
    handle,
    update,
    get disposed() {
      return disposal !== undefined;
    },
  };
}

/** A copy that could be written to would lie about the part. Typed arrays cannot be frozen. */
function deepFreeze(value: unknown): unknown {
  if (typeof value !== 'object' || value === null || ArrayBuffer.isView(value) || Object.isFrozen(value)) return value;
  Object.freeze(value);
  for (const item of Object.values(value)) deepFreeze(item);
  return value;
}
