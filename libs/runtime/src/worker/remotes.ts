import type { PartSpec } from './part-export.ts';
import type { PartLink } from './part-link.ts';
import type { PartSnapshot, Reply } from './part-messages.ts';
import { createRemotePart, type PartCalls, type RemotePart } from './remote-part.ts';
import { decodeValue } from './value-transfer.ts';

/** A remote, and the worker that its part is in. */
export interface HeldRemote {
  readonly remote: RemotePart;
  link: PartLink;
  /** How the part was created by the host. Results of its methods cannot be created again. */
  spec: PartSpec | undefined;
  /** The creation in another worker, while it is in progress. */
  revival: Promise<void> | undefined;
}

/** The remotes of a host, by handle. Handles are unique for the lifetime of a host, also if a worker is replaced. */
export interface Remotes {
  find(object: object): { readonly handle: number; readonly disposed: boolean } | undefined;
  get(handle: number): HeldRemote | undefined;
  /** A handle greater than any so far. */
  nextHandle(): number;
  /** Updates remotes with the changes in a reply and creates remotes for new parts, whose handles are `created`. */
  receive(
    reply: Reply,
    link: PartLink,
    calls: PartCalls,
  ): { readonly value: unknown; readonly created: readonly number[] };
  remove(handle: number): void;
}

export function createRemotes(): Remotes {
  const held = new Map<number, HeldRemote>();
  const remoteOf = new WeakMap<object, RemotePart>();
  let largest = 0;
  return {
    find: (object) => remoteOf.get(object),
    get: (handle) => held.get(handle),
    nextHandle: () => largest + 1,
    remove: (handle) => void held.delete(handle),
    receive(reply, link, calls) {
      // The result and the parts share data here if they do so in the worker.
      const seen = new Map<object, unknown>();
      const decode = <T>(value: T): T =>
        decodeValue(
          value,
          (marker) => (marker.$part === 'handle' ? held.get(marker.handle)?.remote.part : undefined),
          seen,
        ) as T;
      const created: number[] = [];
      for (const snapshot of reply.parts) {
        const properties: PartSnapshot['properties'] = decode(snapshot.properties);
        const known = held.get(snapshot.handle);
        if (known) {
          known.remote.update({ ...snapshot, properties });
          continue;
        }
        const remote = createRemotePart({ ...snapshot, properties }, calls);
        held.set(snapshot.handle, { remote, link, spec: undefined, revival: undefined });
        remoteOf.set(remote.part, remote);
        largest = Math.max(largest, snapshot.handle);
        created.push(snapshot.handle);
      }
      return { value: reply.type === 'returned' ? decode(reply.value) : undefined, created };
    },
  };
}
