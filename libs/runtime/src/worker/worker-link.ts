import { type ResourceLimits, Worker } from 'node:worker_threads';

import { Blip2Error, isError, messageOf } from '@blip2/interfaces';

import { silenceTelemetry } from '../onnxruntime/silence-telemetry.ts';
import { decodeError } from './error-transfer.ts';
import type { Notice, Reply, Report, Request } from './part-messages.ts';
import { notTransferable } from './value-transfer.ts';

/** A connection to a worker, with its pending requests. */
export interface WorkerLink {
  /**
   * Sends a request, copied immediately, and returns its reply.
   *
   * @throws Blip2Error `WORKER_FAILED` if the worker is or gets lost.
   * @throws Blip2Error `DISPOSED` if the link is ending.
   */
  request(build: (id: number) => Request): Promise<Reply>;
  notify(notice: Notice): void;
  isLost(): boolean;
  /**
   * Lets the worker finish its run, dispose of its parts and exit.
   *
   * @throws Blip2Error `WORKER_FAILED` if a part could not be disposed.
   */
  end(): Promise<void>;
}

interface Waiting {
  resolve(reply: Reply): void;
  reject(error: unknown): void;
}

/** The links of this process whose workers are still running. */
export const openLinks: Set<WorkerLink> = new Set();

/** Starts a part worker, which keeps the process alive only while a request is pending. */
export function openWorkerLink(
  resourceLimits: ResourceLimits | undefined,
  onCallback: (callback: number, args: unknown) => void,
): WorkerLink {
  silenceTelemetry();
  // `.js` is the built file. When tests run from source, their loader resolves it to the `.ts` file next to it.
  const worker = new Worker(new URL('./part-worker.js', import.meta.url), {
    name: 'blip2 parts',
    ...(resourceLimits && { resourceLimits }),
  });
  const waiting = new Map<number, Waiting>();
  let nextId = 1;
  let lost: Blip2Error | undefined;
  let disposalError: unknown;
  let ending: Promise<void> | undefined;

  // Reference the worker exactly while something is pending: a process that ends during a run is aborted.
  const updateRef = (): void => {
    if (waiting.size > 0 || ending) worker.ref();
    else worker.unref();
  };
  const fail = (reason: Blip2Error): void => {
    lost ??= reason;
    for (const { reject } of waiting.values()) reject(lost);
    waiting.clear();
    updateRef();
  };

  worker.on('message', (message: Reply | Report) => {
    if (message.type === 'callback') return onCallback(message.callback, message.args);
    if (message.type === 'ended') {
      disposalError = message.error && decodeError(message.error);
      return;
    }
    waiting.get(message.id)?.resolve(message);
    waiting.delete(message.id);
    updateRef();
  });
  worker.on('messageerror', (error) => fail(workerFailed(`an unreadable message: ${error.message}`, error)));
  worker.on('error', (error: unknown) =>
    fail(workerFailed(isError(error) ? `${error.name}: ${error.message}` : String(error), error)),
  );
  const exited = new Promise<void>((resolve) => {
    worker.on('exit', (code) => {
      openLinks.delete(link);
      fail(ending ? hostDisposed() : workerFailed(`its exit with code ${code}`));
      resolve();
    });
  });
  const end = async (): Promise<void> => {
    worker.postMessage({ type: 'end' } satisfies Notice);
    await exited;
    if (disposalError === undefined) return;
    const got = messageOf(disposalError);
    throw new Blip2Error('WORKER_FAILED', 'A part could not be disposed', { got, cause: disposalError });
  };

  const link: WorkerLink = {
    request(build) {
      if (lost ?? ending) return Promise.reject(lost ?? hostDisposed());
      const id = nextId++;
      return new Promise((resolve, reject) => {
        post(worker, build(id));
        waiting.set(id, { resolve, reject });
        updateRef();
      });
    },
    notify: (notice) => worker.postMessage(notice),
    isLost: () => lost !== undefined,
    end() {
      ending ??= end();
      updateRef();
      return ending;
    },
  };
  openLinks.add(link);
  updateRef();
  return link;
}

/** Creates the `DISPOSED` error of calls after the disposal of their host. */
export function hostDisposed(): Blip2Error {
  return new Blip2Error('DISPOSED', 'The part host has been disposed');
}

function workerFailed(got: string, cause?: unknown): Blip2Error {
  return new Blip2Error('WORKER_FAILED', 'The part worker failed', {
    got,
    fix: 'Create the parts again in a new host',
    ...(cause !== undefined && { cause }),
  });
}

function post(worker: Worker, request: Request): void {
  try {
    worker.postMessage(request);
  } catch (cause) {
    throw notTransferable('arguments', messageOf(cause));
  }
}
