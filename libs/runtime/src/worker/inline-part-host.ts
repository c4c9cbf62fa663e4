import { callPartExport, type PartSpec } from './part-export.ts';
import type { PartHost } from './part-host.ts';
import { hostDisposed } from './part-link.ts';
import { disposePart } from './part-requests.ts';

/** Creates a host on the calling thread. It returns the parts themselves, and each run blocks the event loop. */
export function createInlinePartHost(): PartHost {
  const parts: object[] = [];
  let disposal: Promise<void> | undefined;

  async function disposeAll(): Promise<void> {
    let failure: { readonly error: unknown } | undefined;
    for (const part of parts.reverse()) {
      try {
        await disposePart(part);
      } catch (error) {
        failure ??= { error };
      }
    }
    if (failure) throw failure.error;
  }
  return {
    isolate: 'inline',
    start: () => Promise.resolve(),
    async create<T extends object>(spec: PartSpec): Promise<T> {
      if (disposal) throw hostDisposed();
      const part = await callPartExport(spec);
      parts.push(part);
      return part as T;
    },
    abandon: () => void (disposal ??= disposeAll()).catch(() => undefined),
    [Symbol.asyncDispose]: () => (disposal ??= disposeAll()),
  };
}
