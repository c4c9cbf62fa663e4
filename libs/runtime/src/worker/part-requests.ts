import { Blip2Error } from '@blip2/interfaces';

import { encodeError } from './error-transfer.ts';
import { callPartExport, importPartModule } from './part-export.ts';
import type { PartSnapshot, Reply, Request } from './part-messages.ts';
import { hasMethods, type PartTable } from './part-table.ts';
import { type EncodeReference, encodeValue, type Marker, notTransferable } from './value-transfer.ts';

/** The worker's state that requests depend on. */
export interface AnswerContext {
  readonly table: PartTable;
  /** Whether the host is being disposed. Then only `dispose` requests are performed. */
  isEnding(): boolean;
  /** The id of the signal with this abort reason. */
  signalOf(error: unknown): number | undefined;
}

/** Performs a request and returns its reply. Never rejects. */
export async function answerRequest(
  request: Request,
  args: () => readonly unknown[],
  { table, isEnding, signalOf }: AnswerContext,
): Promise<Reply> {
  const { id } = request;
  const handles = new Set<number>();
  // Shared by the result and the snapshots, so that an object in both is sent once and keeps its identity.
  const seen = new Map<object, unknown>();
  try {
    if (isEnding() && request.type !== 'dispose')
      throw new Blip2Error('DISPOSED', 'The part host was disposed before the call started');
    if (request.type === 'call') handles.add(request.handle);
    const result = await perform(request, args(), table);
    const value =
      request.type === 'create'
        ? addPart(result, table, handles, request.handle)
        : encodeValue(result, resultPath(request), remoteFor(table, handles), seen);
    return { type: 'returned', id, value, parts: snapshots(table, handles, seen) };
  } catch (error) {
    return {
      type: 'threw',
      id,
      error: encodeError(error),
      signal: signalOf(error),
      parts: snapshots(table, handles, seen),
    };
  }
}

/** Disposes of a part by the first method that it has: `Symbol.asyncDispose`, `Symbol.dispose` or `dispose`. */
export async function disposePart(part: object): Promise<void> {
  for (const name of [Symbol.asyncDispose, Symbol.dispose, 'dispose']) {
    const method: unknown = Reflect.get(part, name);
    if (typeof method !== 'function') continue;
    await Reflect.apply(method, part, []);
    return;
  }
}

async function perform(request: Request, args: readonly unknown[], table: PartTable): Promise<unknown> {
  if (request.type === 'import') return void (await importPartModule(request.module));
  if (request.type === 'create') {
    for (const module of request.before) await importPartModule(module);
    return callPartExport({ module: request.module, export: request.export, args });
  }
  const part = table.get(request.handle);
  if (request.type === 'call') return Reflect.apply(Reflect.get(part, request.method), part, args);
  table.remove(request.handle);
  return disposePart(part);
}

/** Objects with methods stay in the worker; the host gets remotes of them. */
function remoteFor(table: PartTable, handles: Set<number>): EncodeReference {
  return (value, path) => {
    if (typeof value === 'function') throw notTransferable(path, 'a function');
    if (value instanceof Blob) return 'keep';
    return hasMethods(value) ? addPart(value, table, handles) : 'walk';
  };
}

function addPart(object: unknown, table: PartTable, handles: Set<number>, handle?: number): Marker {
  const added = table.add(object as object, handle);
  handles.add(added);
  return { $part: 'handle', handle: added };
}

function snapshots(table: PartTable, handles: Set<number>, seen: Map<object, unknown>): PartSnapshot[] {
  return [...handles].filter((handle) => table.has(handle)).map((handle) => table.snapshot(handle, seen));
}

function resultPath(request: Request): string {
  return request.type === 'call' ? `the result of ${request.method}` : 'the result';
}
