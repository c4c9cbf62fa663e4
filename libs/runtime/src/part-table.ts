import { isDeepStrictEqual } from 'node:util';

import { Blip2Error } from '@blip2/interfaces';

import { encodeError, type ErrorData } from './error-transfer.ts';
import type { PartSnapshot } from './part-messages.ts';
import { type EncodeReference, encodeValue, isPlainObject } from './value-transfer.ts';

/** The objects of a worker that its host holds remotes of. */
export interface PartTable {
  /** The handle of an object; the same object keeps its handle. */
  add(object: object): number;
  has(handle: number): boolean;
  /** DISPOSED if it was removed. */
  get(handle: number): object;
  /** Newest first, the order in which to dispose of them. */
  handles(): number[];
  remove(handle: number): void;
  /** What the host does not know yet about an object. `seen` makes it share data with the rest of the same message. */
  snapshot(handle: number, seen: Map<object, unknown>): PartSnapshot;
}

interface HeldPart {
  readonly object: object;
  readonly properties: readonly string[];
  methods: readonly string[] | undefined;
  /** A copy of what the host was sent, by property. */
  readonly sent: Map<string, unknown>;
}

/** Never forwarded: what every object has, and what would make a remote thenable or strange to print. */
const ownBusiness: ReadonlySet<string> = new Set([
  ...Object.getOwnPropertyNames(Object.prototype),
  'then',
  'toJSON',
  'dispose',
]);
/** Within data, functions and objects with behaviour are left out. */
const dataOnly: EncodeReference = (value) =>
  typeof value !== 'function' && (isPlainObject(value) || !hasMethods(value)) ? 'walk' : 'omit';

/** True for whatever should stay in its thread and be called from afar. */
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
    if (!part) throw new Blip2Error('DISPOSED', 'this part was disposed of');
    return part;
  };
  return {
    add(object) {
      const known = handleOf.get(object);
      if (known !== undefined && held.has(known)) return known;
      const handle = nextHandle++;
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
    // A copy: the part may write into the same array again.
    sent.set(name, structuredClone(value));
    changed[name] = value;
  }
  return { properties: changed, failures };
}

/**
 * Undefined where a getter has nothing to say yet, or no more, and where the value cannot be copied; a `Blip2Error` is
 * for whoever reads the property.
 */
function readProperty(
  object: object,
  name: string,
  seen: Map<object, unknown>,
): { readonly value?: unknown; readonly failure?: ErrorData } {
  try {
    return { value: encodeValue(Reflect.get(object, name), name, dataOnly, seen) };
  } catch (error) {
    return error instanceof Blip2Error ? { failure: encodeError(error) } : { value: undefined };
  }
}

function describe(object: object): { methods: string[]; properties: string[] } {
  const methods = new Set<string>();
  const properties = new Set<string>();
  for (let at: object | null = object; at !== null && !isRoot(at); at = Reflect.getPrototypeOf(at)) {
    for (const [name, descriptor] of Object.entries(Object.getOwnPropertyDescriptors(at))) {
      if (ownBusiness.has(name) || methods.has(name) || properties.has(name)) continue;
      if (typeof descriptor.value === 'function') methods.add(name);
      else properties.add(name);
    }
  }
  return { methods: [...methods], properties: [...properties] };
}

function isRoot(object: object): boolean {
  return Object.hasOwn(object, 'hasOwnProperty') && Reflect.getPrototypeOf(object) === null;
}
