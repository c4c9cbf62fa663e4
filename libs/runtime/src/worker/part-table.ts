import { isDeepStrictEqual } from 'node:util';

import { Blip2Error } from '@blip2/interfaces';

import { encodeError, type ErrorData } from './error-transfer.ts';
import type { PartSnapshot } from './part-messages.ts';
import { type EncodeReference, encodeValue, isPlainObject } from './value-transfer.ts';

/** The objects of a worker that its host has remotes of. */
export interface PartTable {
  /** Sets the first handle that is assigned. */
  begin(firstHandle: number): void;
  /** Adds an object and returns its handle. An object that is already present keeps its handle. */
  add(object: object, handle?: number): number;
  has(handle: number): boolean;
  /** @throws Blip2Error `DISPOSED` if it was removed. */
  get(handle: number): object;
  /** All handles, newest first: the order of disposal. */
  handles(): number[];
  remove(handle: number): void;
  /** Changes of an object since its last snapshot. `seen` lets it share objects with the rest of the same message. */
  snapshot(handle: number, seen: Map<object, unknown>): PartSnapshot;
}

interface HeldPart {
  readonly object: object;
  readonly properties: readonly string[];
  methods: readonly string[] | undefined;
  /** Copies of the values last sent to the host, by property. */
  readonly sent: Map<string, unknown>;
}

/**
 * Members that are never forwarded: those of every object, and those that would make a remote thenable or misprinted.
 */
const EXCLUDED_MEMBERS: ReadonlySet<string> = new Set([
  ...Object.getOwnPropertyNames(Object.prototype),
  'then',
  'toJSON',
  'dispose',
]);
/** Encodes data only: functions and objects with methods are omitted. */
const encodeDataOnly: EncodeReference = (value) =>
  typeof value !== 'function' && (isPlainObject(value) || !hasMethods(value)) ? 'walk' : 'omit';

/** Returns true for objects that stay in the worker and are called through a remote. */
export function hasMethods(object: object): boolean {
  if (Symbol.asyncDispose in object || Symbol.dispose in object || 'dispose' in object) return true;
  return describe(object).methods.length > 0;
}

export function createPartTable(): PartTable {
  const held = new Map<number, HeldPart>();
  const handleOf = new WeakMap<object, number>();
  let nextHandle = 1;

  const find = (handle: number): HeldPart => {
    const part = held.get(handle);
    if (!part) throw new Blip2Error('DISPOSED', 'This part has been disposed');
    return part;
  };
  return {
    begin(firstHandle) {
      nextHandle = firstHandle;
    },
    add(object, handle = nextHandle++) {
      const known = handleOf.get(object);
      if (known !== undefined && held.has(known)) return known;
      held.set(handle, { object, ...describe(object), sent: new Map() });
      handleOf.set(object, handle);
      return handle;
    },
    has: (handle) => held.has(handle),
    get: (handle) => find(handle).object,
    handles: () => [...held.keys()].reverse(),
    remove: (handle) => void held.delete(handle),
    snapshot(handle, seen) {
      const part = find(handle);
      const { methods } = part;
      part.methods = undefined;
      return { handle, methods, ...changedProperties(part, seen) };
    },
  };
}

function changedProperties(
  { object, properties, sent }: HeldPart,
  seen: Map<object, unknown>,
): Pick<PartSnapshot, 'properties' | 'failures'> {
  const changed: Record<string, unknown> = {};
  const failures: Record<string, ErrorData> = {};
  for (const name of properties) {
    const { value, failure } = readProperty(object, name, seen);
    if (failure) {
      failures[name] = failure;
      sent.delete(name);
      continue;
    }
    if (sent.has(name) && isDeepStrictEqual(value, sent.get(name))) continue;
    // A copy, since the part may overwrite the same array.
    sent.set(name, structuredClone(value));
    changed[name] = value;
  }
  return { properties: changed, failures };
}

/**
 * Reads a property. A `Blip2Error` of its getter is thrown by the remote's property too; if the getter throws another
 * error or the value cannot be copied, the property is undefined.
 */
function readProperty(
  object: object,
  name: string,
  seen: Map<object, unknown>,
): { readonly value?: unknown; readonly failure?: ErrorData } {
  try {
    return { value: encodeValue(Reflect.get(object, name), name, encodeDataOnly, seen) };
  } catch (error) {
    return error instanceof Blip2Error ? { failure: encodeError(error) } : { value: undefined };
  }
}

function describe(object: object): { methods: string[]; properties: string[] } {
  const methods = new Set<string>();
  const properties = new Set<string>();
  for (let at: object | null = object; at !== null && !isRoot(at); at = Reflect.getPrototypeOf(at)) {
    for (const [name, descriptor] of Object.entries(Object.getOwnPropertyDescriptors(at))) {
      if (EXCLUDED_MEMBERS.has(name) || methods.has(name) || properties.has(name)) continue;
      if (typeof descriptor.value === 'function') methods.add(name);
      else properties.add(name);
    }
  }
  return { methods: [...methods], properties: [...properties] };
}

function isRoot(object: object): boolean {
  return Object.hasOwn(object, 'hasOwnProperty') && Reflect.getPrototypeOf(object) === null;
}
