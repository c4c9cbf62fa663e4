import type { GraphTarget, OnnxModel, Signature, TensorSpec, TensorType } from '@blip2/interfaces';

import type { Graph } from './graph.ts';
import type { Value } from './value.ts';
import type { ModelMessage } from './write-model.ts';

/** A model with the names of the checkpoint tensors that it uses. */
export interface WrittenModel<S extends Signature = Signature> extends OnnxModel<S> {
  readonly weightNames: readonly string[];
  /** The graph itself. */
  readonly graph: Graph;
  /** What `serialize` writes, as objects. */
  message(target?: GraphTarget): ModelMessage;
}

type TypeOf<Spec> = Spec extends TensorSpec<infer T> ? T : Spec extends undefined ? never : TensorType;
export type GraphInputs<S extends Signature> = { readonly [K in keyof S['inputs']]: Value<TypeOf<S['inputs'][K]>> };
export type GraphOutputs<S extends Signature> = { readonly [K in keyof S['outputs']]: Value<TypeOf<S['outputs'][K]>> };
