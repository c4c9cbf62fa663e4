import { broadcastAxes } from '../axes.ts';
import type { ElementType } from '../element-type.ts';
import { type Graph, RUNTIME_DOMAIN } from '../graph.ts';
import type { NodeOptions } from '../node-options.ts';
import type { Value } from '../value.ts';

type BinaryOperator = 'Add' | 'Sub' | 'Mul' | 'Div';
type UnaryOperator =
  | 'Relu'
  | 'LeakyRelu'
  | 'Selu'
  | 'HardSwish'
  | 'Sigmoid'
  | 'Tanh'
  | 'Softplus'
  | 'Gelu'
  | 'Erf'
  | 'Sqrt'
  | 'Exp'
  | 'Neg';

export function binary<T extends ElementType>(g: Graph, operator: BinaryOperator, a: Value<T>, b: Value<T>): Value<T> {
  return g.node(operator, [a, b], { type: a.type, axes: broadcastAxes(a.axes, b.axes, operator) });
}

export function unary<T extends ElementType>(
  g: Graph,
  operator: UnaryOperator,
  x: Value<T>,
  options: NodeOptions = {},
): Value<T> {
  return g.node(operator, [x], { type: x.type, axes: x.axes }, options);
}

/** Element-wise operators of onnxruntime (`com.microsoft`). */
export function runtimeUnary<T extends ElementType>(
  g: Graph,
  operator: UnaryOperator,
  x: Value<T>,
  attributes: NodeOptions['attributes'] = {},
): Value<T> {
  return unary(g, operator, x, { domain: RUNTIME_DOMAIN, attributes });
}

export function add<T extends ElementType>(g: Graph, a: Value<T>, b: Value<T>): Value<T> {
  return binary(g, 'Add', a, b);
}

export function mul<T extends ElementType>(g: Graph, a: Value<T>, b: Value<T>): Value<T> {
  return binary(g, 'Mul', a, b);
}

/** Multiplies each element by a number. */
export function scale(g: Graph, x: Value<'float32'>, factor: number): Value<'float32'> {
  return mul(g, x, g.constant('float32', [], [factor]));
}

/** The larger of each pair of elements. */
export function maximum(g: Graph, a: Value<'float32'>, b: Value<'float32'>): Value<'float32'> {
  return g.node('Max', [a, b], { type: 'float32', axes: broadcastAxes(a.axes, b.axes, 'Max') });
}
