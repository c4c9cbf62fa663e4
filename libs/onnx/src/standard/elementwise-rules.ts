import { floatOf, inputOf, type LoweringRule } from './lowering.ts';
import { GELU_OPSET } from './opsets.ts';

/** Coefficients of the tanh approximation of GELU (arXiv 1606.08415, section 2). */
const GELU_CUBIC = 0.044715;
const GELU_FACTOR = Math.sqrt(2 / Math.PI);

/** x · Φ(x), which the standard has since version 20. */
export const gelu: LoweringRule = (to, node) => {
  const x = inputOf(node, 0);
  if (to.target.opset >= GELU_OPSET) return void to.add(node, 'Gelu', [x], {}, node.output[0]);
  const number = (value: number): string => to.constant('float32', [], [value]);
  const erf = to.add(node, 'Erf', [to.add(node, 'Mul', [x, number(Math.SQRT1_2)])]);
  const half = to.add(node, 'Mul', [x, number(0.5)]);
  to.add(node, 'Mul', [half, to.add(node, 'Add', [erf, number(1)])], {}, node.output[0]);
};

/** The standard's `Gelu`, which graphs use for the tanh approximation. */
export const geluTanh: LoweringRule = (to, node) => {
  if (to.target.opset >= GELU_OPSET) return to.keep(node);
  const x = inputOf(node, 0);
  const number = (value: number): string => to.constant('float32', [], [value]);
  const cube = to.add(node, 'Mul', [to.add(node, 'Mul', [x, x]), x]);
  const bent = to.add(node, 'Add', [x, to.add(node, 'Mul', [cube, number(GELU_CUBIC)])]);
  const tanh = to.add(node, 'Tanh', [to.add(node, 'Mul', [bent, number(GELU_FACTOR)])]);
  const half = to.add(node, 'Mul', [x, number(0.5)]);
  to.add(node, 'Mul', [half, to.add(node, 'Add', [tanh, number(1)])], {}, node.output[0]);
};

/**
 * `x / √(mean(x²) + ε) · weight`. onnxruntime recognizes this form and runs its fused operator, which it registers
 * under the standard's name.
 */
export const rmsNorm: LoweringRule = (to, node) => {
  const [x, weight] = [inputOf(node, 0), inputOf(node, 1)];
  const number = (value: number): string => to.constant('float32', [], [value]);
  const square = to.add(node, 'Pow', [x, number(2)]);
  const mean = to.add(node, 'ReduceMean', [square, to.constant('int64', [1], [-1])], { keepdims: { int: 1 } });
  const root = to.add(node, 'Sqrt', [to.add(node, 'Add', [mean, number(floatOf(node, 'epsilon') ?? 0)])]);
  to.add(node, 'Mul', [to.add(node, 'Div', [x, root]), weight], {}, node.output[0]);
};
