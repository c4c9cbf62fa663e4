import { receiveMessageOnPort, type MessagePort } from 'node:worker_threads';
import { Blip2Error } from '@blip2/interfaces';
import { decodeError, encodeError } from './error-transfer.ts';
import { callPartExport } from './part-export.ts';
import type { Notice, PartSnapshot, Reply, Report, Request } from './part-messages.ts';
import { createPartTable, hasMethods } from './part-table.ts';
import { decodeValue, encodeValue, isPlainObject, notTransferable, type EncodeReference, type Marker } from './value-transfer.ts';

type Handles = Set<number>;
interface Queued {
  readonly request: Request;
  /** Decoded on arrival, so that an abort that comes later finds its signal. */
  readonly args: () => readonly unknown[];
}

/**
 * Hosts parts behind a port: requests run strictly one after another, in order of arrival.
 * What arrived during a run (aborts, the end) is heard before the next request begins. `exit` is called last.
 */
export function servePart(port: MessagePort, exit: () => void): void {
  const table = createPartTable();
  const signals = new Map<number, AbortController>();
  const queue: Queued[] = [];
  let busy = false;
  let ending = false;
  const post = (message: Reply | Report): void => port.postMessage(message);

  const decodeMarker = (marker: Exclude<Marker, { $part: 'error' }>): unknown => {
    if (marker.$part === 'handle') return table.get(marker.handle);
    if (marker.$part === 'callback') return callbackOf(marker.callback);
    const controller = new AbortController();
    if (marker.reason) controller.abort(decodeError(marker.reason));
    signals.set(marker.signal, controller);
    return controller.signal;
  };
  const callbackOf = (callback: number) => (...args: unknown[]): void => {
    post({ type: 'callback', callback, args: encodeValue(args, 'callback', dataOnly) });
  };

  function receive(message: Request | Notice): void {
    if (message.type === 'end') ending = true;
    else if (message.type === 'abort') signals.get(message.signal)?.abort(decodeError(message.reason));
    else if (message.type === 'release') for (const signal of message.signals) signals.delete(signal);
    else queue.push({ request: message, args: decoded('args' in message ? message.args : []) });
  }

  function decoded(args: unknown): () => readonly unknown[] {
    try {
      const values = decodeValue(args, decodeMarker);
      return () => (Array.isArray(values) ? values : []);
    } catch (error) {
      return () => { throw error; };
    }
  }

  async function pump(): Promise<void> {
    if (busy) return;
    busy = true;
    for (;;) {
      for (let more = receiveMessageOnPort(port); more; more = receiveMessageOnPort(port)) receive(more.message as Request | Notice);
      const next = queue.shift();
      if (!next) break;
      post(await answer(next));
    }
    if (ending) await end();
    busy = false;
  }

  async function answer({ request, args }: Queued): Promise<Reply> {
    const { id } = request;
    const handles: Handles = new Set();
    const seen = new Map<object, unknown>();
    try {
      if (ending && request.type !== 'dispose') throw new Blip2Error('DISPOSED', 'the host of this part was disposed of before the call began');
      if (request.type === 'call') handles.add(request.handle);
      const result = await perform(request, args());
      const value = request.type === 'create' ? addPart(result, handles) : encodeValue(result, resultPath(request), handleFor(handles), seen);
      return { type: 'returned', id, value, parts: snapshots(handles, seen) };
    } catch (error) {
      return { type: 'threw', id, error: encodeError(error), signal: signalOf(error), parts: snapshots(handles, seen) };
    }
  }

  async function perform(request: Request, args: readonly unknown[]): Promise<unknown> {
    if (request.type === 'create') return callPartExport({ module: request.module, export: request.export, args });
    const part = table.get(request.handle);
    if (request.type === 'call') return Reflect.apply(Reflect.get(part, request.method), part, args);
    table.remove(request.handle);
    return dispose(part);
  }

  function addPart(object: unknown, handles: Handles): Marker {
    const handle = table.add(object as object);
    handles.add(handle);
    return { $part: 'handle', handle };
  }

  /** Results with behaviour stay here; the host gets remotes of them. */
  function handleFor(handles: Handles): EncodeReference {
    return (value, path) => {
      if (typeof value === 'function') throw notTransferable(path, 'a function');
      return hasMethods(value) ? addPart(value, handles) : 'walk';
    };
  }

  function snapshots(handles: Handles, seen: Map<object, unknown>): PartSnapshot[] {
    return [...handles].flatMap((handle) => (table.has(handle) ? [table.snapshot(handle, seen)] : []));
  }

  function signalOf(error: unknown): number | undefined {
    return [...signals].find(([, { signal }]) => signal.aborted && signal.reason === error)?.[0];
  }

  async function end(): Promise<void> {
    let failure: unknown;
    for (const handle of table.handles()) {
      const part = table.get(handle);
      table.remove(handle);
      try { await dispose(part); } catch (error) { failure ??= error; }
    }
    post({ type: 'ended', error: failure === undefined ? undefined : encodeError(failure) });
    exit();
  }

  port.on('message', (message: Request | Notice) => {
    receive(message);
    void pump();
  });
}

const dataOnly: EncodeReference = (value, path) => {
  if (typeof value === 'function' || (!isPlainObject(value) && hasMethods(value))) throw notTransferable(path, 'an object with methods');
  return 'walk';
};

function resultPath(request: Request): string {
  return request.type === 'call' ? `the result of ${request.method}` : 'the result';
}

/** Releases a part by whichever way it offers. */
export async function dispose(part: object): Promise<void> {
  for (const name of [Symbol.asyncDispose, Symbol.dispose, 'dispose']) {
    const method: unknown = Reflect.get(part, name);
    if (typeof method !== 'function') continue;
    await Reflect.apply(method, part, []);
    return;
  }
}
