import { Blip2Error, type Signature, type TensorSpec, type TensorType } from '@blip2/interfaces';

import { formatAxes, sameAxes } from './axes.ts';
import { finishGraph } from './build-graph.ts';
import { Graph } from './graph.ts';
import type { GraphInputs, GraphOutputs, WrittenModel } from './graph-types.ts';
import { sectionOf } from './section.ts';
import type { F32, Value } from './value.ts';
import { finderOf, sharedWeights, Weights, type WeightSource } from './weights.ts';

/** A graph that is composed of sections, each written by the builder of a graph. */
export interface Composition {
  readonly graph: Graph;
  /** The trained weights that were used so far, by name. */
  readonly trained: ReadonlyMap<string, F32>;
  /** Adds an input. Sections that name an input equally share it. */
  input<T extends TensorType>(name: string, spec: TensorSpec<T>): Value<T>;
  /** Tensors under a path of the checkpoint. */
  weights(path: string): Weights;
  /**
   * Writes the graph of a builder as a section over given values and returns its outputs. Inputs that are not given
   * become inputs of the composed graph. `build` must pass on the weights that it is called with.
   *
   * @throws Blip2Error `SHAPE_MISMATCH` if a value does not fit the input that it is given for.
   * @throws Blip2Error `INVALID_ARGUMENT` for a value that is not an input of the section.
   */
  write<S extends Signature>(
    build: (weights: WeightSource) => WrittenModel<S>,
    inputs?: Partial<GraphInputs<S>>,
  ): GraphOutputs<S>;
}

/**
 * Composes one graph of the graphs of several builders. The tensors of all sections come from `weights`; those that are
 * trained (`trainedWeights`) are inputs of the graph under their names.
 *
 * @param body Writes the sections and returns the outputs, of types that a session returns.
 * @throws Blip2Error `INVALID_ARGUMENT` if two inputs of one name differ.
 */
export function composeGraph(
  name: string,
  weights: WeightSource,
  body: (composition: Composition) => Readonly<Record<string, Value<TensorType>>>,
): WrittenModel {
  const graph = new Graph();
  const finder = finderOf(weights);
  const shared = sharedWeights(graph, finder);
  const specs = new Map<string, TensorSpec>();
  const values = new Map<string, Value>();
  const input = <T extends TensorType>(key: string, spec: TensorSpec<T>): Value<T> => {
    const known = specs.get(key);
    if (known && (known.type !== spec.type || !sameAxes(known.axes, spec.axes)))
      throw new Blip2Error('INVALID_ARGUMENT', {
        argument: key,
        expected: `${known.type} ${formatAxes(known.axes)} as in another section`,
        got: `${spec.type} ${formatAxes(spec.axes)}`,
      });
    const value = (values.get(key) as Value<T> | undefined) ?? graph.input(key, spec.type, spec.axes);
    specs.set(key, spec);
    values.set(key, value);
    return value;
  };
  const outputs = body({
    graph,
    trained: shared.trained,
    input,
    weights: (path) => new Weights(shared, path),
    write: (build, given = {}) => sectionOf(shared, build, { given, input }),
  });
  const signature = {
    inputs: Object.fromEntries(specs),
    outputs: Object.fromEntries(Object.entries(outputs).map(([key, { type, axes }]) => [key, { type, axes }])),
  };
  return finishGraph(name, signature, shared, outputs);
}
