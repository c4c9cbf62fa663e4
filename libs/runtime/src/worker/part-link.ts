import { Blip2Error, defined, messageOf } from '@blip2/interfaces';

import type { ChannelLoss, OpenChannel } from './channel/part-channel.ts';
import { decodeError } from './error-transfer.ts';
import type { Notice, Reply, Report, Request } from './part-messages.ts';
import { notTransferable } from './value-transfer.ts';

/** A connection to a thread or process of parts, with its pending requests. */
export interface PartLink {
  /**
   * Sends a request, copied immediately, and returns its reply.
   *
   * @throws Blip2Error `WORKER_FAILED` if the worker is or gets lost.
   * @throws Blip2Error `DISPOSED` if the link is ending.
   */
  request(build: (id: number) => Request): Promise<Reply>;
  notify(notice: Notice): void;
  isLost(): boolean;
  /** Whether a call has returned. Until then the worker is starting. */
  hasServed(): boolean;
  /**
   * Lets the worker finish its run, dispose of its parts and exit.
   *
   * @throws Blip2Error `WORKER_FAILED` if a part could not be disposed.
   */
  end(): Promise<void>;
  /** Ends the worker after its run, without anyone waiting for it. A process that takes longer than 5 s is killed. */
  abandon(): void;
}

interface Waiting {
  readonly isCall: boolean;
  resolve(reply: Reply): void;
  reject(error: unknown): void;
}

/** Time in milliseconds that an abandoned worker has to end. */
const ABANDONED_MS = 5000;

/** The links of this process whose workers are still running. */
export const openLinks: Set<PartLink> = new Set();

/** Starts a part worker, which keeps the process alive only while a request is pending. */
export function openPartLink(
  open: OpenChannel,
  firstHandle: number,
  onCallback: (callback: number, args: unknown) => void,
): PartLink {
  const waiting = new Map<number, Waiting>();
  let nextId = 1;
  let lost: Blip2Error | undefined;
  let disposalError: unknown;
  let ending: Promise<void> | undefined;
  let hasServed = false;
  let onEnd: () => void;
  const exited = new Promise<void>((resolve) => {
    onEnd = resolve;
  });

  // Reference the worker exactly while something is pending: a process that ends during a run is aborted.
  const updateReference = (): void => channel.setReferenced(waiting.size > 0 || ending !== undefined);
  const fail = (reason: Blip2Error): void => {
    lost ??= reason;
    for (const { reject } of waiting.values()) reject(lost);
    waiting.clear();
    updateReference();
  };
  const receive = (message: Reply | Report): void => {
    if (message.type === 'callback') return onCallback(message.callback, message.args);
    if (message.type === 'ended') {
      disposalError = message.error && decodeError(message.error);
      return;
    }
    const request = waiting.get(message.id);
    if (request?.isCall) hasServed = true;
    waiting.delete(message.id);
    request?.resolve(message);
    updateReference();
  };

  const channel = open({
    onMessage: receive,
    onError(loss) {
      fail(workerFailed(loss));
      channel.kill();
    },
    onExit(loss) {
      openLinks.delete(link);
      fail(ending ? hostDisposed() : workerFailed(loss));
      onEnd();
    },
  });
  const end = async (): Promise<void> => {
    channel.post({ type: 'end' });
    await exited;
    if (disposalError === undefined) return;
    const got = messageOf(disposalError);
    throw new Blip2Error('WORKER_FAILED', 'A part could not be disposed', { got, cause: disposalError });
  };

  const link: PartLink = {
    request(build) {
      if (lost ?? ending) return Promise.reject(lost ?? hostDisposed());
      const id = nextId++;
      return new Promise((resolve, reject) => {
        const request = build(id);
        post(channel.post, request);
        waiting.set(id, { isCall: request.type === 'call', resolve, reject });
        updateReference();
      });
    },
    notify: (notice) => channel.post(notice),
    isLost: () => lost !== undefined,
    hasServed: () => hasServed,
    end() {
      ending ??= end();
      updateReference();
      return ending;
    },
    abandon() {
      // Time to remove unfinished files.
      const timer = setTimeout(channel.kill, ABANDONED_MS);
      link
        .end()
        .catch(() => undefined)
        .finally(() => clearTimeout(timer));
    },
  };
  openLinks.add(link);
  channel.post({ type: 'begin', firstHandle });
  updateReference();
  return link;
}

/** Creates the `DISPOSED` error of calls after the disposal of their host. */
export function hostDisposed(): Blip2Error {
  return new Blip2Error('DISPOSED', 'The part host has been disposed');
}

function workerFailed({ got, signal, cause }: ChannelLoss): Blip2Error {
  return new Blip2Error('WORKER_FAILED', 'The part worker failed', {
    got,
    fix: 'Call it again: another worker is started and loads the parts again',
    ...defined({ subject: signal, cause }),
  });
}

function post(send: (request: Request) => void, request: Request): void {
  try {
    send(request);
  } catch (cause) {
    throw notTransferable('arguments', messageOf(cause));
  }
}
