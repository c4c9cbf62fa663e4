import { Blip2Error, type Signature, type TensorSpec } from '@blip2/interfaces';

import { formatAxes, sameAxes } from './axes.ts';
import type { GraphInputs, GraphOutputs, WrittenModel } from './build-graph.ts';
import type { Graph } from './graph.ts';
import type { Value } from './value.ts';

/**
 * Includes a graph in another one: its nodes and weights are added, its inputs are values of the outer graph. Returns
 * its outputs.
 * @throws Blip2Error `SHAPE_MISMATCH` if a value has another type or shape than the input.
 */
export function includeGraph<S extends Signature>(
  g: Graph,
  { name, signature, graph }: WrittenModel<S>,
  inputs: GraphInputs<S>,
): GraphOutputs<S> {
  const given: Readonly<Record<string, Value>> = inputs;
  const names = new Map(
    Object.entries<TensorSpec>(signature.inputs).map(([key, spec]) => [
      key,
      expectInput(`${name}.${key}`, spec, given[key]).name,
    ]),
  );
  const inner = graph.initializers.filter(({ rawData }) => rawData !== undefined).map((tensor) => tensor.name);
  for (const each of [...inner, ...graph.nodes.flatMap((node) => [node.name, ...node.output])])
    if (each !== '') names.set(each, `${name}/${each}`);
  g.include(graph, name, names);
  const outputs = Object.entries<TensorSpec>(signature.outputs).map(([key, { type, axes }]): [string, Value] => [
    key,
    { name: names.get(key) ?? key, type, axes },
  ]);
  return Object.fromEntries(outputs) as GraphOutputs<S>;
}

function expectInput(where: string, { type, axes }: TensorSpec, value: Value | undefined): Value {
  if (value?.type === type && sameAxes(value.axes, axes)) return value;
  throw new Blip2Error('SHAPE_MISMATCH', 'The value must have the type and shape of the input', {
    where,
    expected: `${type} ${formatAxes(axes)}`,
    got: value ? `${value.type} ${formatAxes(value.axes)}` : 'nothing',
  });
}
