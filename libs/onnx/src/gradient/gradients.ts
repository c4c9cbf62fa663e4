import { Blip2Error } from '@blip2/interfaces';

import { axisAt, formatAxes } from '../axes.ts';
import type { Graph } from '../graph.ts';
import type { NodeValues } from '../node-options.ts';
import { add } from '../ops/elementwise.ts';
import type { F32, Value } from '../value.ts';
import type { GraphNode } from '../write-model.ts';
import type { InputGradients } from './own-pullback.ts';
import { withAxes } from './pullback.ts';
import { PULLBACKS } from './pullbacks.ts';

/** A value and the gradient with respect to it, from which differentiation starts: 1 for a loss. */
export interface Seed {
  readonly value: F32;
  /** In the shape of `value`. */
  readonly gradient: F32;
}

/**
 * Adds the nodes that compute the gradients with respect to `wanted` (reverse mode): the sum over all seeds of
 * `gradientᵀ · ∂value/∂wanted`, in the shape of each. Only nodes between `wanted` and the seeds are differentiated: a
 * frozen weight costs no gradient of its own.
 *
 * @param wanted Inputs, trained weights or any other float32 values of the graph.
 * @throws Blip2Error `UNSUPPORTED_ARCHITECTURE`, with its name, for an operator that has no pullback.
 * @throws Blip2Error `SHAPE_MISMATCH` if a seed does not have the shape of its value.
 * @throws Blip2Error `INVALID_ARGUMENT` if no seed depends on a wanted value.
 */
export function gradients(g: Graph, seeds: readonly Seed[], wanted: readonly F32[]): F32[] {
  const nodes = [...g.nodes];
  const isActive = activeValues(g, nodes, wanted);
  const found = new Map<string, F32>();
  const accumulate = (value: Value, gradient: F32): void => {
    // Readers may know the value by other names of its axes than its maker.
    const axes = g.axes.get(value.name) ?? value.axes;
    const here = withAxes(gradient, { axes });
    const known = found.get(value.name);
    found.set(value.name, known ? withAxes(add(g, known, here), { axes }) : here);
  };
  for (const { value, gradient } of seeds) {
    expectSeed(value, gradient);
    accumulate(value, gradient);
  }
  for (const node of nodes.toReversed()) {
    if (!node.output.some((name) => found.has(name) && isActive.has(name))) continue;
    g.scope(`backward/${node.name}`, () => {
      const { inputs, from } = pulledBack(g, node, found);
      inputs.forEach((input, index) => {
        if (input && isActive.has(input.name)) accumulate(input, required(from[index], node, index)());
      });
    });
  }
  return wanted.map(({ name }, index) => {
    const gradient = found.get(name);
    if (gradient) return gradient;
    throw new Blip2Error('INVALID_ARGUMENT', {
      argument: `wanted[${index}]`,
      expected: 'a value that a seed depends on',
      got: name,
    });
  });
}

/** The float32 values that depend on `wanted`, by name. */
function activeValues(g: Graph, nodes: readonly GraphNode[], wanted: readonly F32[]): ReadonlySet<string> {
  const active = new Set(wanted.map(({ name }) => name));
  for (const node of nodes) {
    for (const output of g.valuesOf(node).outputs) {
      const own = g.ownPullbacks.get(output.name);
      const depends = own
        ? own.inputs.some(({ name }) => active.has(name))
        : node.input.some((name) => active.has(name));
      if (depends && output.type === 'float32') active.add(output.name);
    }
  }
  return active;
}

interface PulledBack {
  readonly inputs: NodeValues['inputs'];
  readonly from: InputGradients;
}

/** The gradients of a node's inputs, or of the inputs of the layer that ends with this node. */
function pulledBack(g: Graph, node: GraphNode, found: ReadonlyMap<string, F32>): PulledBack {
  const { inputs, outputs } = g.valuesOf(node);
  const given = outputs.map((output) => {
    const gradient = found.get(output.name);
    return gradient && withAxes(gradient, output);
  });
  const [y] = outputs as readonly F32[];
  const dy = given.find((gradient) => gradient !== undefined);
  if (!y || !dy) return { inputs: [], from: [] };
  const own = g.ownPullbacks.get(y.name);
  if (own) return { inputs: own.inputs, from: own.pullback(dy) };
  const name = node.domain ? `${node.domain}.${node.opType}` : node.opType;
  const pullback = Object.hasOwn(PULLBACKS, name) ? PULLBACKS[name] : undefined;
  if (!pullback)
    throw new Blip2Error('UNSUPPORTED_ARCHITECTURE', `The operator ${name} has no gradient`, {
      where: node.name,
      subject: name,
    });
  const input = (index: number): F32 => {
    const value = inputs[index] as F32 | undefined;
    if (value) return value;
    throw new Blip2Error('INVALID_STATE', `The operator ${name} must have input ${index}`, { where: node.name });
  };
  const optional = (index: number): F32 | undefined => inputs[index] as F32 | undefined;
  return { inputs, from: pullback({ g, node, input, optional, y, dy, gradients: given }) };
}

function required(gradient: InputGradients[number], node: GraphNode, index: number): () => F32 {
  if (gradient) return gradient;
  throw new Blip2Error('UNSUPPORTED_ARCHITECTURE', `Input ${index} of ${node.opType} has no gradient`, {
    where: node.name,
    subject: node.opType,
  });
}

function expectSeed(value: F32, gradient: F32): void {
  const fits =
    value.axes.length === gradient.axes.length &&
    value.axes.every((axis, index) => {
      const other = axisAt(gradient.axes, index, 'seed');
      return typeof axis !== 'number' || typeof other !== 'number' || axis === other;
    });
  if (fits) return;
  throw new Blip2Error('SHAPE_MISMATCH', 'A seed must have the shape of its value', {
    where: value.name,
    expected: formatAxes(value.axes),
    got: formatAxes(gradient.axes),
  });
}
