import { type Axis, Blip2Error } from '@blip2/interfaces';

import { RUNTIME_DOMAIN } from '../graph.ts';
import type { GraphNode, Initializer } from '../write-model.ts';
import { multiHeadAttention, rotaryEmbedding } from './attention-rules.ts';
import { gelu, geluTanh, rmsNorm } from './elementwise-rules.ts';
import { Lowering, type LoweringRule, type LoweringTarget } from './lowering.ts';
import { BLOCK_OPSET } from './opsets.ts';
import { blockProduct, fusedMatMul, integerProduct } from './product-rules.ts';

/** Operators that every target needs in another form: those that are not in the standard or not in its version. */
const ALWAYS: Readonly<Record<string, LoweringRule>> = { SimplifiedLayerNormalization: rmsNorm, Gelu: geluTanh };

/** Operators of onnxruntime, by the standard operators that compute the same. */
const STANDARD: Readonly<Record<string, LoweringRule>> = {
  FusedMatMul: fusedMatMul,
  Gelu: gelu,
  MatMulIntegerToFloat: integerProduct,
  MatMulNBits: blockProduct,
  MultiHeadAttention: multiHeadAttention,
  RotaryEmbedding: rotaryEmbedding,
};

/** What is rewritten. */
export interface LoweredGraph {
  readonly nodes: readonly GraphNode[];
  readonly initializers: readonly Initializer[];
}

/**
 * Rewrites a graph for a version of the standard operators, and without the operators of onnxruntime if the target asks
 * for that.
 * @throws Blip2Error `INVALID_ARGUMENT` for an operator that the target cannot have, with its name.
 */
export function lowerGraph(
  { nodes, initializers }: LoweredGraph,
  axes: ReadonlyMap<string, readonly Axis[]>,
  target: LoweringTarget,
): LoweredGraph {
  const to = new Lowering(target, initializers, axes);
  for (const node of nodes) {
    const rule = ruleOf(node, target);
    if (rule) rule(to, node);
    else to.keep(node);
  }
  return { nodes: to.nodes, initializers: to.initializers };
}

function ruleOf({ opType, domain, name }: GraphNode, { operators, opset }: LoweringTarget): LoweringRule | undefined {
  if (domain === '') return Object.hasOwn(ALWAYS, opType) ? ALWAYS[opType] : undefined;
  if (operators === 'runtime') return undefined;
  if (opType === 'MatMulNBits' && opset < BLOCK_OPSET)
    throw new Blip2Error('INVALID_ARGUMENT', `opset must be at least ${BLOCK_OPSET} for weights in blocks (q4, q8)`, {
      argument: 'opset',
      expected: `at least ${BLOCK_OPSET}`,
      got: String(opset),
      fix: `Use opset ${BLOCK_OPSET} or later, or the precision fp32 or int8`,
    });
  if (domain === RUNTIME_DOMAIN && Object.hasOwn(STANDARD, opType)) return STANDARD[opType];
  throw new Blip2Error('INVALID_ARGUMENT', 'The graph has an operator without a standard form', {
    where: name,
    got: `${domain}.${opType}`,
    fix: 'Write the graph with the operators of the ONNX standard only',
  });
}
