import { type MessagePort, receiveMessageOnPort } from 'node:worker_threads';

import { decodeError, encodeError } from './error-transfer.ts';
import type { Notice, Reply, Report, Request } from './part-messages.ts';
import { answerRequest, disposePart } from './part-requests.ts';
import { createPartTable, hasMethods, type PartTable } from './part-table.ts';
import {
  type DecodeReference,
  decodeValue,
  type EncodeReference,
  encodeValue,
  isPlainObject,
  notTransferable,
} from './value-transfer.ts';

interface Queued {
  readonly request: Request;
  /** Arguments, decoded on arrival so that a later abort finds its signal. Throws the error of decoding. */
  readonly args: () => readonly unknown[];
}

/**
 * Serves parts over a port: requests run strictly one after another, in order of arrival. Notices that arrive during a
 * run (`abort`, `end`) are handled before the next request. `exit` is called last.
 */
export function servePart(port: MessagePort, exit: () => void): void {
  const table = createPartTable();
  const signals = new Map<number, AbortController>();
  const queue: Queued[] = [];
  let busy = false;
  let ending = false;
  const post = (message: Reply | Report): void => port.postMessage(message);
  const decodeReference = createReferenceDecoder(table, signals, post);
  const context = {
    table,
    isEnding: () => ending,
    signalOf: (error: unknown) => [...signals].find(([, { signal }]) => signal.aborted && signal.reason === error)?.[0],
  };

  function receive(message: Request | Notice): void {
    if (message.type === 'begin') table.begin(message.firstHandle);
    else if (message.type === 'end') ending = true;
    else if (message.type === 'abort') signals.get(message.signal)?.abort(decodeError(message.reason));
    else if (message.type === 'release') for (const signal of message.signals) signals.delete(signal);
    else
      queue.push({ request: message, args: decodeArguments('args' in message ? message.args : [], decodeReference) });
  }

  async function processQueue(): Promise<void> {
    if (busy) return;
    busy = true;
    for (;;) {
      for (let more = receiveMessageOnPort(port); more; more = receiveMessageOnPort(port))
        receive(more.message as Request | Notice);
      const next = queue.shift();
      if (!next) break;
      post(await answerRequest(next.request, next.args, context));
    }
    if (ending) {
      post({ type: 'ended', error: await disposeAll(table) });
      exit();
    }
    busy = false;
  }

  port.on('message', (message: Request | Notice) => {
    receive(message);
    void processQueue();
  });
}

function createReferenceDecoder(
  table: PartTable,
  signals: Map<number, AbortController>,
  post: (report: Report) => void,
): DecodeReference {
  return (marker) => {
    if (marker.$part === 'handle') return table.get(marker.handle);
    if (marker.$part === 'callback') {
      return (...args: unknown[]): void =>
        post({ type: 'callback', callback: marker.callback, args: encodeValue(args, 'callback', encodeDataOnly) });
    }
    const controller = new AbortController();
    if (marker.reason) controller.abort(decodeError(marker.reason));
    signals.set(marker.signal, controller);
    return controller.signal;
  };
}

function decodeArguments(args: unknown, decodeReference: DecodeReference): () => readonly unknown[] {
  try {
    const values = decodeValue(args, decodeReference);
    return () => (Array.isArray(values) ? values : []);
  } catch (error) {
    return () => {
      throw error;
    };
  }
}

/** Disposes of all parts, newest first, and returns the first error. */
async function disposeAll(table: PartTable): Promise<ReturnType<typeof encodeError> | undefined> {
  let failure: ReturnType<typeof encodeError> | undefined;
  for (const handle of table.handles()) {
    const part = table.get(handle);
    table.remove(handle);
    try {
      await disposePart(part);
    } catch (error) {
      failure ??= encodeError(error);
    }
  }
  return failure;
}

const encodeDataOnly: EncodeReference = (value, path) => {
  if (typeof value === 'function' || (!isPlainObject(value) && hasMethods(value)))
    throw notTransferable(path, 'an object with methods');
  return 'walk';
};
