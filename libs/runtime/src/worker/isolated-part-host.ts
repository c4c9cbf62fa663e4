import { Blip2Error, onAbort } from '@blip2/interfaces';

import { createArgumentEncoder, type EncodeOptions, type TransferredReferences } from './argument-encoder.ts';
import type { OpenChannel } from './channel/part-channel.ts';
import { decodeError } from './error-transfer.ts';
import type { PartSpec } from './part-export.ts';
import type { PartHost } from './part-host.ts';
import { hostDisposed, openPartLink, type PartLink } from './part-link.ts';
import type { Reply, Request } from './part-messages.ts';
import { partModules } from './part-modules.ts';
import { createRemotes, type HeldRemote } from './remotes.ts';
import { createStartLimit } from './start-limit.ts';

/**
 * Creates a host whose parts share one worker, a thread or process, which starts with the first part or with `start`. A
 * worker that ends is replaced at the next call, which creates the parts that it needs again.
 */
export function createIsolatedPartHost(isolate: PartHost['isolate'], open: OpenChannel): PartHost {
  const remotes = createRemotes();
  const starts = createStartLimit();
  let link: PartLink | undefined;
  let disposal: Promise<void> | undefined;
  /** Requests whose callers have aborted, and no longer wait for them. */
  let abandoned = 0;
  /** Modules that are being imported ahead. */
  let importing = 0;
  const args = createArgumentEncoder({
    isThread: isolate === 'worker',
    find: remotes.find,
    notify: (notice) => link?.notify(notice),
  });

  function currentLink(): PartLink {
    if (disposal) throw hostDisposed();
    if (link && !link.isLost()) return link;
    if (link) starts.count(link);
    link = undefined;
    starts.expectAllowed();
    link = openPartLink(open, remotes.nextHandle(), args.runCallback);
    return link;
  }

  interface Sent {
    readonly values: readonly unknown[];
    readonly where: string;
    /** The part that is called. */
    readonly target?: number;
    readonly options?: EncodeOptions;
    readonly build: (id: number, args: unknown) => Request;
  }

  async function send({ values, where, target, options, build }: Sent): Promise<Received> {
    if (disposal) throw hostDisposed();
    const { encoded, references } = args.encode(values, where, options);
    const needed = [...(target === undefined ? [] : [target]), ...references.parts];
    let owner: number | undefined;
    try {
      // An aborted load must not wait for the start of a worker. Calls observe their signals in the worker.
      if (target === undefined) throwIfAborted(references);
      const worker = currentLink();
      const missing = needed.filter((handle) => remotes.get(handle)?.link !== worker);
      if (missing.length > 0) {
        // Without this wait, calls are sent in order.
        for (const handle of missing) await revive(handle, worker);
        throwIfAborted(references);
      }
      const reply = await unlessAborted(
        worker.request((id) => build(id, encoded)),
        references,
        worker,
      );
      const { value, created } = remotes.receive(reply, worker, calls);
      [owner] = created;
      if (references.thrown) throw references.thrown.error;
      if (reply.type === 'threw') throw args.abortReason(reply.signal) ?? decodeError(reply.error);
      return { value, created: owner };
    } finally {
      args.settle(references, owner);
    }
  }

  /** Rejects when a signal among the arguments is aborted: a run cannot be interrupted, but need not be waited for. */
  function unlessAborted(
    request: Promise<Reply>,
    { signals }: TransferredReferences,
    worker: PartLink,
  ): Promise<Reply> {
    const live = [...signals.keys()].filter((signal) => !signal.aborted);
    if (live.length === 0) return request;
    return new Promise((resolve, reject) => {
      const stop = (): void => stops.forEach((each) => each());
      const abort = (signal: AbortSignal): void => {
        stop();
        abandoned++;
        reject(signal.reason as Error);
        const discard = (reply: Reply): void => {
          for (const handle of remotes.receive(reply, worker, calls).created) void calls.dispose(handle);
        };
        void request
          .then(discard)
          .catch(() => undefined)
          .finally(() => abandoned--);
      };
      const stops = live.map((signal) => onAbort(signal, () => abort(signal)));
      request.then(resolve, reject).finally(stop);
    });
  }

  /** Creates a part again, in the worker that replaces its own. */
  async function revive(handle: number, worker: PartLink): Promise<void> {
    const held = remotes.get(handle);
    if (!held) throw new Blip2Error('DISPOSED', 'This part has been disposed');
    held.revival ??= createAgain(handle, held, worker).finally(() => (held.revival = undefined));
    await held.revival;
  }

  async function createAgain(handle: number, held: HeldRemote, worker: PartLink): Promise<void> {
    if (!held.spec) throw lostWithWorker();
    await held.spec.expectUnchanged?.();
    await send(creation(held.spec, handle));
    await held.spec.expectUnchanged?.();
    held.link = worker;
  }

  function creation({ module, export: path, args: values = [] }: PartSpec, handle?: number): Sent {
    return {
      values,
      where: path,
      options: { isRepeated: handle !== undefined },
      build: (id, encoded) => ({
        type: 'create',
        id,
        before: partModules(),
        module: String(module),
        export: path,
        args: encoded,
        handle,
      }),
    };
  }

  const calls = {
    async call(handle: number, method: string, values: readonly unknown[]): Promise<unknown> {
      const build: Sent['build'] = (id, encoded) => ({ type: 'call', id, handle, method, args: encoded });
      return (await send({ values, where: method, target: handle, build })).value;
    },
    async dispose(handle: number): Promise<void> {
      // A disposed host or a lost worker has no parts any more.
      if (disposal) return disposal;
      const worker = remotes.get(handle)?.link;
      if (worker && worker === link && !worker.isLost())
        await send({ values: [], where: 'dispose', build: (id) => ({ type: 'dispose', id, handle }) });
      args.release(handle);
      remotes.remove(handle);
    },
  };

  return {
    isolate,
    start(module) {
      const build: Sent['build'] = (id) => ({ type: 'import', id, module: String(module) });
      importing++;
      return send({ values: [], where: 'start', build })
        .then(
          () => undefined,
          () => undefined,
        )
        .finally(() => importing--);
    },
    async create<T extends object>(spec: PartSpec): Promise<T> {
      const { value, created } = await send(creation(spec));
      const held = created === undefined ? undefined : remotes.get(created);
      if (held) held.spec = spec;
      return value as T;
    },
    abandon() {
      link?.abandon();
      disposal ??= Promise.resolve();
    },
    [Symbol.asyncDispose]() {
      if (abandoned + importing === 0) return (disposal ??= link?.end() ?? Promise.resolve());
      // Work that nobody needs any more is not waited for.
      link?.abandon();
      return (disposal ??= Promise.resolve());
    },
  };
}

interface Received {
  readonly value: unknown;
  readonly created: number | undefined;
}

function throwIfAborted({ signals }: TransferredReferences): void {
  for (const signal of signals.keys()) signal.throwIfAborted();
}

function lostWithWorker(): Blip2Error {
  return new Blip2Error('WORKER_FAILED', 'The part was lost with its worker', {
    fix: 'Start again from the part that returned it',
  });
}
