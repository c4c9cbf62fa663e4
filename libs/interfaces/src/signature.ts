import type { Tensor, TensorType } from './tensor.ts';

/** A fixed length, or the name of a length that is known at run time. */
export type Axis = number | string;
export interface TensorSpec<T extends TensorType = TensorType, A extends readonly Axis[] = readonly Axis[]> {
  readonly type: T;
  readonly axes: A;
}
/** The inputs and outputs of a graph, declared once: the writer and the session both derive their types from it. */
export interface Signature {
  readonly inputs: Readonly<Record<string, TensorSpec>>;
  readonly outputs: Readonly<Record<string, TensorSpec>>;
}

export function f32<const A extends readonly Axis[]>(...axes: A): TensorSpec<'float32', A> {
  return { type: 'float32', axes };
}
export function i64<const A extends readonly Axis[]>(...axes: A): TensorSpec<'int64', A> {
  return { type: 'int64', axes };
}

export type TensorOf<S> =
  S extends TensorSpec<infer T, infer A>
    ? Tensor<T, { -readonly [K in keyof A]: A[K] extends number ? A[K] : number }>
    : never;
export type InputsOf<S extends Signature> = { readonly [K in keyof S['inputs']]: TensorOf<S['inputs'][K]> };
export type OutputsOf<S extends Signature> = { readonly [K in keyof S['outputs']]: TensorOf<S['outputs'][K]> };
