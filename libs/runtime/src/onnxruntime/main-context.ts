import { runInThisContext } from 'node:vm';

import type { TensorType, TypedArrays } from '@blip2/interfaces';

/** Name of the typed array of an element type. */
type ArrayName = 'Float32Array' | 'BigInt64Array' | 'Int32Array' | 'Uint8Array';

/** Names of the typed arrays by element type. */
export const ARRAY_NAMES: Readonly<Record<TensorType, ArrayName>> = {
  float32: 'Float32Array',
  int64: 'BigInt64Array',
  int32: 'Int32Array',
  uint8: 'Uint8Array',
  bool: 'Uint8Array',
};

/** The global objects of the main context, in which native code creates its results. */
const main: typeof globalThis = runInThisContext('globalThis');

/** Whether this code runs in the main context, not in one of `node:vm` as in Jest and the vm pools of Vitest. */
export const isMainContext: boolean = main.Float32Array === Float32Array;

/** Loads a CommonJS module in the main context. Test runners replace the `process` and `module` of their context. */
export function requireInMainContext(from: string, name: string): unknown {
  return main.process.getBuiltinModule('node:module').createRequire(from)(name);
}

/** The same memory as a typed array of the main context, which onnxruntime insists on. */
export function mainArray<T extends TensorType>(type: T, data: TypedArrays[T]): TypedArrays[T] {
  return viewOf(main, type, data);
}

/** The same memory as a typed array of this context, so that `instanceof` works for the caller. */
export function ownArray<T extends TensorType>(type: T, data: TypedArrays[T]): TypedArrays[T] {
  return viewOf(globalThis, type, data);
}

function viewOf<T extends TensorType>(context: typeof globalThis, type: T, data: TypedArrays[T]): TypedArrays[T] {
  const array = context[ARRAY_NAMES[type]];
  if (data instanceof array) return data;
  return new array(data.buffer as ArrayBuffer, data.byteOffset, data.length) as TypedArrays[T];
}
