import { type ResourceLimits, Worker } from 'node:worker_threads';

import { Blip2Error } from '@blip2/interfaces';

import { decodeError } from './error-transfer.ts';
import type { Notice, Reply, Report, Request } from './part-messages.ts';
import { silenceTelemetry } from './silence-telemetry.ts';
import { notTransferable } from './value-transfer.ts';

/** A worker and the requests that it has not answered yet. */
export interface WorkerLink {
  /** Copies the message to the worker now; resolves to its answer. WORKER_FAILED if the worker is or gets lost. */
  request(build: (id: number) => Request): Promise<Reply>;
  notify(notice: Notice): void;
  isLost(): boolean;
  /** Lets the worker finish its run, dispose of everything and exit by itself. WORKER_FAILED if a part failed to. */
  end(): Promise<void>;
}

interface Waiting {
  resolve(reply: Reply): void;
  reject(error: unknown): void;
}

/** The links of this process whose workers still run. */
export const openLinks: Set<WorkerLink> = new Set();

/** Starts a part worker. It keeps the process alive only while a request is pending. */
export function openWorkerLink(
  resourceLimits: ResourceLimits | undefined,
  onCallback: (callback: number, args: unknown) => void,
): WorkerLink {
  silenceTelemetry();
  // `.js` is the built file; from source, the loader of the tests finds the `.ts` beside it.
  const worker = new Worker(new URL('./part-worker.js', import.meta.url), {
    name: 'blip2 parts',
    ...(resourceLimits && { resourceLimits }),
  });
  const waiting = new Map<number, Waiting>();
  let nextId = 1;
  let lost: Blip2Error | undefined;
  let disposalError: unknown;
  let ending: Promise<void> | undefined;

  // A process that ends during a run is aborted, hence: referenced while anything is pending, and only then.
  const hold = (): void => {
    if (waiting.size > 0 || ending) worker.ref();
    else worker.unref();
  };
  const lose = (reason: Blip2Error): void => {
    lost ??= reason;
    for (const { reject } of waiting.values()) reject(lost);
    waiting.clear();
    hold();
  };

  worker.on('message', (message: Reply | Report) => {
    if (message.type === 'callback') return onCallback(message.callback, message.args);
    if (message.type === 'ended') {
      disposalError = message.error && decodeError(message.error);
      return;
    }
    waiting.get(message.id)?.resolve(message);
    waiting.delete(message.id);
    hold();
  });
  worker.on('messageerror', (error) => lose(workerFailed(`an unreadable message: ${error.message}`, error)));
  worker.on('error', (error: unknown) =>
    lose(workerFailed(error instanceof Error ? `${error.name}: ${error.message}` : String(error), error)),
  );
  const exited = new Promise<void>((resolve) => {
    worker.on('exit', (code) => {
      openLinks.delete(link);
      lose(ending ? hostDisposed() : workerFailed(`its exit with code ${code}`));
      resolve();
    });
  });
  const end = async (): Promise<void> => {
    worker.postMessage({ type: 'end' } satisfies Notice);
    await exited;
    if (disposalError === undefined) return;
    const got = disposalError instanceof Error ? disposalError.message : String(disposalError);
    throw new Blip2Error('WORKER_FAILED', 'a part could not be disposed of', { got, cause: disposalError });
  };

  const link: WorkerLink = {
    request(build) {
      if (lost ?? ending) return Promise.reject(lost ?? hostDisposed());
      const id = nextId++;
      return new Promise((resolve, reject) => {
        post(worker, build(id));
        waiting.set(id, { resolve, reject });
        hold();
      });
    },
    notify: (notice) => worker.postMessage(notice),
    isLost: () => lost !== undefined,
    end() {
      ending ??= end();
      hold();
      return ending;
    },
  };
  openLinks.add(link);
  hold();
  return link;
}

/** DISPOSED, for calls that come after the end of their host. */
export function hostDisposed(): Blip2Error {
  return new Blip2Error('DISPOSED', 'the host of this part was disposed of');
}

function workerFailed(got: string, cause?: unknown): Blip2Error {
  return new Blip2Error('WORKER_FAILED', 'the worker of the parts is gone', {
    got,
    fix: 'Create the parts again in a new host.',
    ...(cause !== undefined && { cause }),
  });
}

function post(worker: Worker, request: Request): void {
  try {
    worker.postMessage(request);
  } catch (cause) {
    throw notTransferable('arguments', cause instanceof Error ? cause.message : String(cause));
  }
}
