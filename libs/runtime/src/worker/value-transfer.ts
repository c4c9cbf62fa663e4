import { types } from 'node:util';

import { Blip2Error, isError } from '@blip2/interfaces';

import { decodeError, encodeError, type ErrorData } from './error-transfer.ts';

/** Represents a value in a message that is not data. */
export type Marker =
  | { readonly $part: 'handle'; readonly handle: number }
  | { readonly $part: 'signal'; readonly signal: number; readonly reason: ErrorData | undefined }
  | { readonly $part: 'callback'; readonly callback: number }
  | { readonly $part: 'error'; readonly error: ErrorData };

/**
 * Returns how to encode an object or function: as a marker, as its data (`walk`), by structured clone (`keep`), or not
 * at all (`omit`). Throws `notTransferable` to reject it.
 */
export type EncodeReference = (value: object, path: string) => Marker | 'walk' | 'keep' | 'omit';
/** Returns the value that a marker represents on this thread. */
export type DecodeReference = (marker: Exclude<Marker, { $part: 'error' }>) => unknown;

const MARKER_KEY = '$part';

/** Creates an `INVALID_ARGUMENT` error for the value at `path`, which cannot be transferred to another thread. */
export function notTransferable(path: string, got: string): Blip2Error {
  return new Blip2Error('INVALID_ARGUMENT', 'The value must be transferable to another thread', {
    where: path,
    expected: 'plain data, typed arrays, parts of the same host, an AbortSignal or an on… callback',
    got,
  });
}

/**
 * Encodes a value for `postMessage`. Objects that occur twice keep their identity, also across calls that share `seen`.
 * Only the bytes of a view are copied, not its entire buffer, and shared memory becomes ordinary memory.
 */
export function encodeValue(
  value: unknown,
  path: string,
  reference: EncodeReference,
  seen: Map<object, unknown> = new Map(),
): unknown {
  if (typeof value === 'symbol') throw notTransferable(path, 'a symbol');
  if (value === null || (typeof value !== 'object' && typeof value !== 'function')) return value;
  if (seen.has(value)) return seen.get(value);
  const register = <T extends object>(encoded: T): T => {
    seen.set(value, encoded);
    return encoded;
  };
  const child = (item: unknown, at: string): unknown => encodeValue(item, at, reference, seen);

  if (types.isPromise(value)) throw notTransferable(path, 'a promise');
  if (ArrayBuffer.isView(value)) return register(copyView(value));
  if (types.isSharedArrayBuffer(value)) return register(new Uint8Array(value).slice().buffer);
  if (types.isAnyArrayBuffer(value) || types.isDate(value) || types.isRegExp(value) || types.isBoxedPrimitive(value))
    return value;
  if (isError(value)) return register({ [MARKER_KEY]: 'error', error: encodeError(value) });
  if (Array.isArray(value))
    return fill(register<unknown[]>([]), value, (item, index) => child(item, `${path}[${index}]`));
  if (types.isMap(value))
    return fillMap(register(new Map()), value, (item, key) => child(item, `${path}.get(${String(key)})`));
  if (types.isSet(value)) return fillSet(register(new Set()), value, (item) => child(item, `${path} (an element)`));
  if (isTensor(value))
    return register({ type: value.type, dims: [...value.dims], data: child(value.data, `${path}.data`) });

  const encoding = reference(value, path);
  if (encoding === 'omit') return undefined;
  if (encoding === 'keep') return value;
  if (encoding !== 'walk') return encoding;
  return fillRecord(register<Record<string, unknown>>({}), value, path, child);
}

/** The inverse of `encodeValue`, in place: the message has no other user. Objects keep their identity. */
export function decodeValue(
  value: unknown,
  reference: DecodeReference,
  seen: Map<object, unknown> = new Map(),
): unknown {
  if (typeof value !== 'object' || value === null) return value;
  if (seen.has(value)) return seen.get(value);
  const register = <T>(decoded: T): T => {
    seen.set(value, decoded);
    return decoded;
  };
  // Views of a message between processes share its buffer.
  if (ArrayBuffer.isView(value)) return register(copyView(value));
  if (isMarker(value)) return register(value.$part === 'error' ? decodeError(value.error) : reference(value));
  register(value);
  const child = (item: unknown): unknown => decodeValue(item, reference, seen);
  if (Array.isArray(value))
    value.forEach((item, index) => {
      value[index] = child(item);
    });
  else if (types.isMap(value)) for (const [key, item] of [...value]) value.set(key, child(item));
  else if (types.isSet(value)) {
    const items = [...value];
    value.clear();
    for (const item of items) value.add(child(item));
  } else if (isPlainObject(value))
    for (const [key, item] of Object.entries(value)) Reflect.set(value, key, child(item));
  return value;
}

/** Returns true for `{…}` and `Object.create(null)`, but not for instances of classes. */
export function isPlainObject(value: object): boolean {
  const prototype: unknown = Object.getPrototypeOf(value);
  // The Object.prototype of another realm (such as a test runner's) has no prototype either.
  return (
    prototype === null ||
    (Object.getPrototypeOf(prototype) === null && Object.hasOwn(prototype as object, 'hasOwnProperty'))
  );
}

/** Returns true for tensors. Those of onnxruntime are class instances with methods, but are transferred as data. */
function isTensor(value: object): value is { type: string; dims: readonly number[]; data: ArrayBufferView } {
  return (
    'type' in value &&
    typeof value.type === 'string' &&
    'dims' in value &&
    Array.isArray(value.dims) &&
    'data' in value &&
    ArrayBuffer.isView(value.data)
  );
}

function isMarker(value: object): value is Marker {
  return Object.hasOwn(value, MARKER_KEY);
}

function copyView(view: ArrayBufferView): ArrayBufferView {
  const { buffer, byteOffset, byteLength } = view;
  if (byteLength === buffer.byteLength && !types.isSharedArrayBuffer(buffer)) return view;
  const bytes = new Uint8Array(buffer, byteOffset, byteLength).slice().buffer;
  // Also for a Buffer, whose constructor is deprecated.
  if (types.isUint8Array(view)) return new Uint8Array(bytes);
  const View = view.constructor as new (buffer: ArrayBuffer) => ArrayBufferView;
  return new View(bytes);
}

function fill(
  target: unknown[],
  source: readonly unknown[],
  child: (item: unknown, index: number) => unknown,
): unknown[] {
  for (let index = 0; index < source.length; index++) target.push(child(source[index], index));
  return target;
}

function fillMap(
  target: Map<unknown, unknown>,
  source: Map<unknown, unknown>,
  child: (item: unknown, key: unknown) => unknown,
): Map<unknown, unknown> {
  for (const [key, item] of source) target.set(child(key, key), child(item, key));
  return target;
}

function fillSet(target: Set<unknown>, source: Set<unknown>, child: (item: unknown) => unknown): Set<unknown> {
  for (const item of source) target.add(child(item));
  return target;
}

function fillRecord(
  target: Record<string, unknown>,
  source: object,
  path: string,
  child: (item: unknown, at: string) => unknown,
): Record<string, unknown> {
  if (Object.hasOwn(source, MARKER_KEY)) throw notTransferable(path, `an object with the reserved key ${MARKER_KEY}`);
  for (const [key, item] of Object.entries(source)) {
    const encoded = child(item, path === '' ? key : `${path}.${key}`);
    // Defines an own property, even for the key __proto__.
    if (encoded !== undefined || item === undefined)
      Object.defineProperty(target, key, { value: encoded, writable: true, enumerable: true, configurable: true });
  }
  return target;
}
