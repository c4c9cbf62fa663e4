import { mustBe } from '@blip2/interfaces';

import type { Graph } from '../graph.ts';
import { add, binary, mul, runtimeUnary, scale, unary } from '../ops/elementwise.ts';
import type { Sign, Value } from '../value.ts';

type Layer = (g: Graph, x: Value<'float32'>) => Value<'float32'>;

/** A layer that records the sign of its result. */
const withSign =
  (sign: Sign, layer: Layer): Layer =>
  (g, x) =>
    g.markSign(layer(g, x), sign);

/** Gaussian error linear unit with the error function, x · Φ(x) (arXiv 1606.08415). */
const gelu = withSign('mostlyPositive', (g, x) => runtimeUnary(g, 'Gelu', x));
/** Its tanh approximation. */
const geluTanh = withSign('mostlyPositive', (g, x) =>
  unary(g, 'Gelu', x, { attributes: { approximate: { string: 'tanh' } } }),
);
/** x · σ(1.702 x). */
const quickGelu = withSign('mostlyPositive', (g, x) => mul(g, x, unary(g, 'Sigmoid', scale(g, x, 1.702))));
/** x · σ(x) (arXiv 1702.03118). */
const silu = withSign('mostlyPositive', (g, x) => mul(g, x, unary(g, 'Sigmoid', x)));
const clip =
  (low: number, high: number): Layer =>
  (g, x) =>
    g.node('Clip', [x, g.constant('float32', [], [low]), g.constant('float32', [], [high])], {
      type: 'float32',
      axes: x.axes,
    });

/**
 * Parameters at which the Laplace activation is closest to the squared ReLU (arXiv 2209.10655, section 3.3), with the
 * digits of Hugging Face Transformers.
 */
const LAPLACE_MEAN = 0.707107;
const LAPLACE_DEVIATION = 0.282095;

/** Layers by the names that `hidden_act` and similar settings use (`ACT2FN` of Hugging Face Transformers). */
const LAYERS: Readonly<Record<string, Layer>> = {
  gelu,
  gelu_python: gelu,
  gelu_new: geluTanh,
  gelu_fast: geluTanh,
  gelu_pytorch_tanh: geluTanh,
  gelu_accurate: geluTanh,
  gelu_python_tanh: geluTanh,
  gelu_10: withSign('mostlyPositive', (g, x) => clip(-10, 10)(g, gelu(g, x))),
  quick_gelu: quickGelu,
  relu: withSign('nonNegative', (g, x) => unary(g, 'Relu', x)),
  relu2: withSign('nonNegative', (g, x) => {
    const positive = unary(g, 'Relu', x);
    return mul(g, positive, positive);
  }),
  relu6: withSign('nonNegative', clip(0, 6)),
  leaky_relu: (g, x) => unary(g, 'LeakyRelu', x, { attributes: { alpha: { float: 0.01 } } }),
  selu: (g, x) => unary(g, 'Selu', x),
  silu,
  swish: silu,
  sigmoid: withSign('nonNegative', (g, x) => unary(g, 'Sigmoid', x)),
  tanh: (g, x) => unary(g, 'Tanh', x),
  mish: withSign('mostlyPositive', (g, x) => mul(g, x, unary(g, 'Tanh', unary(g, 'Softplus', x)))),
  laplace: (g, x) => {
    const number = (value: number): Value<'float32'> => g.constant('float32', [], [value]);
    const standardized = binary(
      g,
      'Div',
      binary(g, 'Sub', x, number(LAPLACE_MEAN)),
      number(LAPLACE_DEVIATION * Math.SQRT2),
    );
    return scale(g, add(g, unary(g, 'Erf', standardized), number(1)), 0.5);
  },
  sqrtsoftplus: withSign('nonNegative', (g, x) => unary(g, 'Sqrt', unary(g, 'Softplus', x))),
  hardswish: withSign('mostlyPositive', (g, x) => unary(g, 'HardSwish', x)),
  linear: (_, x) => x,
};

/**
 * Applies an activation by the name that a configuration gives it (`hidden_act`).
 *
 * @throws Blip2Error `INVALID_CONFIG` for an unknown name.
 */
export function activation(g: Graph, x: Value<'float32'>, name: string): Value<'float32'> {
  const layer = Object.hasOwn(LAYERS, name) ? LAYERS[name] : undefined;
  if (!layer) throw mustBe('activation', `one of ${Object.keys(LAYERS).join(', ')}`, name, { code: 'INVALID_CONFIG' });
  return layer(g, x);
}
