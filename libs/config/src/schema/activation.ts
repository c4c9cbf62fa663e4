/**
 * The activation functions of configurations. `gelu` is the exact one (erf), `gelu_new` and similar names are the tanh
 * approximation.
 */
export type Activation =
  | 'gelu'
  | 'gelu_10'
  | 'gelu_accurate'
  | 'gelu_fast'
  | 'gelu_new'
  | 'gelu_python'
  | 'gelu_python_tanh'
  | 'gelu_pytorch_tanh'
  | 'hardswish'
  | 'laplace'
  | 'leaky_relu'
  | 'linear'
  | 'mish'
  | 'quick_gelu'
  | 'relu'
  | 'relu2'
  | 'relu6'
  | 'selu'
  | 'sigmoid'
  | 'silu'
  | 'sqrtsoftplus'
  | 'swish'
  | 'tanh';

const KNOWN: Readonly<Record<Activation, true>> = {
  gelu: true,
  gelu_10: true,
  gelu_accurate: true,
  gelu_fast: true,
  gelu_new: true,
  gelu_python: true,
  gelu_python_tanh: true,
  gelu_pytorch_tanh: true,
  hardswish: true,
  laplace: true,
  leaky_relu: true,
  linear: true,
  mish: true,
  quick_gelu: true,
  relu: true,
  relu2: true,
  relu6: true,
  selu: true,
  sigmoid: true,
  silu: true,
  sqrtsoftplus: true,
  swish: true,
  tanh: true,
};

export function isActivation(name: unknown): name is Activation {
  return typeof name === 'string' && Object.hasOwn(KNOWN, name);
}

/**
 * Every supported activation: those of HF `ACT2FN` without parameters, and `selu`, which the HF documentation lists.
 */
export const activations: readonly Activation[] = Object.freeze(Object.keys(KNOWN).filter(isActivation));
