import { Blip2Error } from '@blip2/interfaces';

import { numberAttribute, textAttribute } from '../attribute.ts';
import type { PullbackContext, Pullbacks } from '../gradient/pullback.ts';
import type { Graph } from '../graph.ts';
import type { F32, Value } from '../value.ts';
import { add, binary, mul, scale, unary } from './elementwise.ts';
import { sumTo } from './reduce.ts';
import { compare, keepWhere } from './where.ts';

/** Defaults of the ONNX operators. */
const LEAKY_SLOPE = 0.01;
const SELU = { alpha: 1.67326319217681884765625, gamma: 1.05070102214813232421875 };
/** Coefficients of the tanh approximation of GELU (arXiv 1606.08415, section 2). */
const GELU_TANH = { factor: Math.sqrt(2 / Math.PI), cubic: 0.044715 };

const number = (g: Graph, value: number): F32 => g.constant('float32', [], [value]);
const sub = (g: Graph, a: F32, b: F32): F32 => binary(g, 'Sub', a, b);
const isPositive = (g: Graph, x: F32): Value<'bool'> => compare(g, 'Greater', x, number(g, 0));
/** `φ(x) √(2π) = e^(−x²/2)`. */
const bell = (g: Graph, x: F32): F32 => unary(g, 'Exp', scale(g, mul(g, x, x), -0.5));

/** A pullback that multiplies the gradient by the derivative at each element. */
const times =
  (derivative: (context: PullbackContext & { readonly x: F32 }) => F32): Pullbacks[string] =>
  (context) => [() => mul(context.g, context.dy, derivative({ ...context, x: context.input(0) }))];

/** Sums over axes that were broadcast are part of each. */
const BINARY: Pullbacks = {
  Add: ({ g, input, dy }) => [() => sumTo(g, dy, input(0)), () => sumTo(g, dy, input(1))],
  Sub: ({ g, input, dy }) => [() => sumTo(g, dy, input(0)), () => sumTo(g, unary(g, 'Neg', dy), input(1))],
  Mul: ({ g, input, dy }) => [
    () => sumTo(g, mul(g, dy, input(1)), input(0)),
    () => sumTo(g, mul(g, dy, input(0)), input(1)),
  ],
  Div: ({ g, input, y, dy }) => [
    () => sumTo(g, binary(g, 'Div', dy, input(1)), input(0)),
    () => sumTo(g, unary(g, 'Neg', binary(g, 'Div', mul(g, dy, y), input(1))), input(1)),
  ],
  /** Equal elements give their gradient to the first. */
  Max: ({ g, node, input, dy }) => {
    if (node.input.length !== 2)
      throw new Blip2Error('UNSUPPORTED_ARCHITECTURE', 'Only the maximum of two values has a gradient', {
        where: node.name,
      });
    const [a, b] = [input(0), input(1)];
    return [
      () => sumTo(g, keepWhere(g, compare(g, 'GreaterOrEqual', a, b), dy), a),
      () => sumTo(g, keepWhere(g, compare(g, 'Less', a, b), dy), b),
    ];
  },
};

const UNARY: Pullbacks = {
  Neg: ({ g, dy }) => [() => unary(g, 'Neg', dy)],
  Exp: times(({ y }) => y),
  Sqrt: ({ g, y, dy }) => [() => binary(g, 'Div', scale(g, dy, 0.5), y)],
  Erf: times(({ g, x }) => scale(g, unary(g, 'Exp', unary(g, 'Neg', mul(g, x, x))), 2 / Math.sqrt(Math.PI))),
  Sigmoid: times(({ g, y }) => mul(g, y, sub(g, number(g, 1), y))),
  Tanh: times(({ g, y }) => sub(g, number(g, 1), mul(g, y, y))),
  Softplus: times(({ g, x }) => unary(g, 'Sigmoid', x)),
  Relu: ({ g, y, dy }) => [() => keepWhere(g, isPositive(g, y), dy)],
  LeakyRelu: ({ g, node, input, dy }) => [
    () => {
      const slope = numberAttribute(node, 'alpha', LEAKY_SLOPE);
      return add(g, keepWhere(g, isPositive(g, input(0)), scale(g, dy, 1 - slope)), scale(g, dy, slope));
    },
  ],
  /** `γ` above 0, and below it the result plus `γ α`. */
  Selu: ({ g, node, input, y, dy }) => [
    () => {
      const gamma = numberAttribute(node, 'gamma', SELU.gamma);
      const floor = gamma * numberAttribute(node, 'alpha', SELU.alpha);
      const above = isPositive(g, input(0));
      const below = compare(g, 'LessOrEqual', input(0), number(g, 0));
      return add(
        g,
        keepWhere(g, above, scale(g, dy, gamma)),
        keepWhere(g, below, mul(g, dy, add(g, y, number(g, floor)))),
      );
    },
  ],
  /** `x · clip(x/6 + 1/2, 0, 1)`: x/3 + 1/2 between −3 and 3, 1 above. */
  HardSwish: ({ g, input, dy }) => [
    () => {
      const x = input(0);
      const above = keepWhere(g, compare(g, 'GreaterOrEqual', x, number(g, 3)), dy);
      const slope = keepWhere(g, compare(g, 'Less', x, number(g, 3)), add(g, scale(g, x, 1 / 3), number(g, 0.5)));
      return add(g, above, keepWhere(g, compare(g, 'Greater', x, number(g, -3)), mul(g, dy, slope)));
    },
  ],
  /** Within the bounds, both included, as in PyTorch. */
  Clip: ({ g, input, dy }) => [
    () => {
      const [x, low, high] = [input(0), input(1), input(2)];
      return keepWhere(g, compare(g, 'GreaterOrEqual', x, low), keepWhere(g, compare(g, 'LessOrEqual', x, high), dy));
    },
    undefined,
    undefined,
  ],
  /** `Φ(x) + x φ(x)`. */
  'com.microsoft.Gelu': times(({ g, x }) => {
    const cumulative = scale(g, add(g, unary(g, 'Erf', scale(g, x, Math.SQRT1_2)), number(g, 1)), 0.5);
    return add(g, cumulative, mul(g, x, scale(g, bell(g, x), 1 / Math.sqrt(2 * Math.PI))));
  }),
  /** With `t = tanh(c (x + a x³))`: `(1 + t)/2 + x/2 · (1 − t²) · c (1 + 3a x²)`. */
  Gelu: times(({ g, node, x }) => {
    if (textAttribute(node, 'approximate') !== 'tanh')
      throw new Blip2Error('UNSUPPORTED_ARCHITECTURE', 'Only the tanh approximation of Gelu has a gradient', {
        where: node.name,
      });
    const { factor, cubic } = GELU_TANH;
    const square = mul(g, x, x);
    const inner = mul(g, scale(g, x, factor), add(g, scale(g, square, cubic), number(g, 1)));
    const t = unary(g, 'Tanh', inner);
    const slope = scale(g, add(g, scale(g, square, 3 * cubic), number(g, 1)), factor);
    const steep = mul(g, mul(g, scale(g, x, 0.5), sub(g, number(g, 1), mul(g, t, t))), slope);
    return add(g, scale(g, add(g, t, number(g, 1)), 0.5), steep);
  }),
};

export const ELEMENTWISE_PULLBACKS: Pullbacks = { ...BINARY, ...UNARY };
