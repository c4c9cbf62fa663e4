import type { ResourceLimits } from 'node:worker_threads';

import { createArgumentEncoder } from './argument-encoder.ts';
import { decodeError } from './error-transfer.ts';
import type { PartSpec } from './part-export.ts';
import type { PartHost } from './part-host.ts';
import type { PartSnapshot, Reply, Request } from './part-messages.ts';
import { createRemotePart, type RemotePart } from './remote-part.ts';
import { decodeValue } from './value-transfer.ts';
import { hostDisposed, openWorkerLink, type WorkerLink } from './worker-link.ts';

/** Creates a host whose parts share one worker thread, which starts with the first part or with `start`. */
export function createWorkerPartHost(resourceLimits?: ResourceLimits): PartHost {
  const remotes = createRemotes();
  let link: WorkerLink | undefined;
  let disposal: Promise<void> | undefined;
  const args = createArgumentEncoder({ find: remotes.find, notify: (notice) => link?.notify(notice) });

  async function send(
    values: readonly unknown[],
    where: string,
    build: (id: number, args: unknown) => Request,
  ): Promise<unknown> {
    if (disposal) throw hostDisposed();
    const { encoded, references } = args.encode(values, where);
    let owner: number | undefined;
    try {
      link ??= openWorkerLink(resourceLimits, args.runCallback);
      const reply = await link.request((id) => build(id, encoded));
      const { value, created } = remotes.receive(reply, calls);
      owner = created;
      if (references.thrown) throw references.thrown.error;
      if (reply.type === 'threw') throw args.abortReason(reply.signal) ?? decodeError(reply.error);
      return value;
    } finally {
      args.settle(references, owner);
    }
  }

  const calls = {
    call: (handle: number, method: string, values: readonly unknown[]): Promise<unknown> =>
      send(values, method, (id, encoded) => ({ type: 'call', id, handle, method, args: encoded })),
    async dispose(handle: number): Promise<void> {
      // A disposed host or a lost worker has no parts any more.
      if (disposal) return disposal;
      if (!link?.isLost()) await send([], 'dispose', (id) => ({ type: 'dispose', id, handle }));
      args.release(handle);
      remotes.remove(handle);
    },
  };

  return {
    isolate: 'worker',
    start(module) {
      send([], 'start', (id) => ({ type: 'import', id, module: String(module) })).catch(() => undefined);
    },
    async create<T extends object>({ module, export: path, args: values = [] }: PartSpec): Promise<T> {
      return (await send(values, path, (id, encoded) => ({
        type: 'create',
        id,
        module: String(module),
        export: path,
        args: encoded,
      }))) as T;
    },
    [Symbol.asyncDispose]: () => (disposal ??= link?.end() ?? Promise.resolve()),
  };
}

interface Remotes {
  find(object: object): { readonly handle: number; readonly disposed: boolean } | undefined;
  /** Updates remotes with the changes in a reply and creates remotes for new parts; `created` is the first of these. */
  receive(
    reply: Reply,
    calls: Parameters<typeof createRemotePart>[1],
  ): { readonly value: unknown; readonly created: number | undefined };
  remove(handle: number): void;
}

function createRemotes(): Remotes {
  const remotes = new Map<number, RemotePart>();
  const remoteOf = new WeakMap<object, RemotePart>();
  return {
    find: (object) => remoteOf.get(object),
    remove: (handle) => void remotes.delete(handle),
    receive(reply, calls) {
      // The result and the parts share data here if they do so in the worker.
      const seen = new Map<object, unknown>();
      const decode = <T>(value: T): T =>
        decodeValue(
          value,
          (marker) => (marker.$part === 'handle' ? remotes.get(marker.handle)?.part : undefined),
          seen,
        ) as T;
      let created: number | undefined;
      for (const snapshot of reply.parts) {
        const properties: PartSnapshot['properties'] = decode(snapshot.properties);
        const known = remotes.get(snapshot.handle);
        if (known) {
          known.update({ ...snapshot, properties });
          continue;
        }
        const remote = createRemotePart({ ...snapshot, properties }, calls);
        remotes.set(snapshot.handle, remote);
        remoteOf.set(remote.part, remote);
        created ??= snapshot.handle;
      }
      return { value: reply.type === 'returned' ? decode(reply.value) : undefined, created };
    },
  };
}
