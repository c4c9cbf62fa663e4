/*
 * Test runners such as Jest, and the vm pools of Vitest, run code in a context with its own `Error` and `Float32Array`,
 * while Node and native libraries create those of the main context. `instanceof` compares classes of one context only.
 */

/** Typed arrays by the names of their classes. */
export interface TypedArraysByName {
  readonly Float32Array: Float32Array;
  readonly BigInt64Array: BigInt64Array;
  readonly Int32Array: Int32Array;
  readonly Uint8Array: Uint8Array;
  readonly Uint8ClampedArray: Uint8ClampedArray;
}

/** Whether a value is an error of any context, or a `DOMException`. */
export function isError(value: unknown): value is Error {
  return value instanceof Error || /^\[object (?:Error|DOMException)\]$/.test(Object.prototype.toString.call(value));
}

/** The message of a caught value. */
export function messageOf(cause: unknown): string {
  return isError(cause) ? cause.message : String(cause);
}

/** Whether a value is a typed array of this name, of any context. A `Buffer` is a `Uint8Array`. */
export function isTypedArray<Name extends keyof TypedArraysByName>(
  value: unknown,
  name: Name,
): value is TypedArraysByName[Name] {
  return ArrayBuffer.isView(value) && Reflect.get(value, Symbol.toStringTag) === name;
}
