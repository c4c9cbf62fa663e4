import type { Tensor, TensorType } from './tensor.ts';

/** A fixed axis length, or the name of a dynamic one. */
export type Axis = number | string;
/** Element type and axes of a graph input or output. */
export interface TensorSpec<T extends TensorType = TensorType, A extends readonly Axis[] = readonly Axis[]> {
  readonly type: T;
  readonly axes: A;
}
/** The inputs and outputs of a graph by name. Graph writer and session derive their types from the same declaration. */
export interface Signature {
  readonly inputs: Readonly<Record<string, TensorSpec>>;
  readonly outputs: Readonly<Record<string, TensorSpec>>;
}

/** A float32 tensor with the given axes. */
export function f32<const A extends readonly Axis[]>(...axes: A): TensorSpec<'float32', A> {
  return { type: 'float32', axes };
}
/** An int64 tensor with the given axes. */
export function i64<const A extends readonly Axis[]>(...axes: A): TensorSpec<'int64', A> {
  return { type: 'int64', axes };
}

/** The tensor type of a specification; dynamic axes become `number`. */
export type TensorOf<S> =
  S extends TensorSpec<infer T, infer A>
    ? Tensor<T, { -readonly [K in keyof A]: A[K] extends number ? A[K] : number }>
    : never;
/** The input tensors of a signature by name. */
export type InputsOf<S extends Signature> = { readonly [K in keyof S['inputs']]: TensorOf<S['inputs'][K]> };
/** The output tensors of a signature by name. */
export type OutputsOf<S extends Signature> = { readonly [K in keyof S['outputs']]: TensorOf<S['outputs'][K]> };
