import { Blip2Error, type Signature } from '@blip2/interfaces';

import { composeGraph } from '../compose-graph.ts';
import type { WrittenModel } from '../graph-types.ts';
import type { F32, Value } from '../value.ts';
import type { WeightSource } from '../weights.ts';
import { gradients } from './gradients.ts';

/** The graph that a pullback is built of. */
export interface PullbackPlan {
  /** Builds it from the weights that it is called with. */
  readonly build: (weights: WeightSource) => WrittenModel;
  /** Its tensors. The gradients with respect to those that are trained (`trainedWeights`) are outputs. */
  readonly weights: WeightSource;
  /** Names of the outputs whose gradients are given. */
  readonly outputs: readonly string[];
  /** Names of the inputs whose gradients are wanted as well. Default none. */
  readonly inputs?: readonly string[];
}

/** Prefix of the gradients among the inputs and outputs of a pullback. */
const GRADIENT = 'gradient.';

/** The signature of a pullback depends on its plan. */
export type PullbackSignature = Signature;

/**
 * Builds the pullback of any graph: it runs forward, and then backward. Its inputs are those of the graph, the trained
 * weights under their names, and `gradient.<output>` for each of `outputs`. Its outputs are `gradient.<name>` for each
 * of `inputs` and each trained weight.
 *
 * @throws Blip2Error `UNSUPPORTED_ARCHITECTURE` for an operator without a pullback; `INVALID_ARGUMENT` for unknown
 * names, or if an output does not depend on what is wanted.
 */
export function buildPullback({ build, weights, outputs, inputs = [] }: PullbackPlan): WrittenModel<PullbackSignature> {
  return composeGraph('pullback', weights, (composition) => {
    const { signature, results } = writeAll(composition, build);
    const seeds = outputs.map((name) => {
      const value = named(results, name, 'outputs');
      return { value, gradient: composition.input(GRADIENT + name, { type: 'float32', axes: value.axes }) };
    });
    const wanted = new Map<string, F32>([
      ...inputs.map((name): [string, F32] => {
        const spec = Object.hasOwn(signature.inputs, name) ? signature.inputs[name] : undefined;
        return [name, spec ? (composition.input(name, spec) as F32) : named({}, name, 'inputs')];
      }),
      ...composition.trained,
    ]);
    const found = gradients(composition.graph, seeds, [...wanted.values()]);
    return Object.fromEntries([...wanted.keys()].map((name, index) => [GRADIENT + name, found[index] as F32]));
  });
}

function writeAll(
  composition: Parameters<Parameters<typeof composeGraph>[2]>[0],
  build: PullbackPlan['build'],
): { readonly signature: Signature; readonly results: Readonly<Record<string, Value>> } {
  let signature: Signature = { inputs: {}, outputs: {} };
  const results = composition.write((weights) => {
    const model = build(weights);
    ({ signature } = model);
    return model;
  });
  return { signature, results };
}

function named(values: Readonly<Record<string, Value>>, name: string, argument: string): F32 {
  const value = Object.hasOwn(values, name) ? values[name] : undefined;
  if (value?.type === 'float32') return value as F32;
  throw new Blip2Error('INVALID_ARGUMENT', { argument, expected: 'names of float32 values of the graph', got: name });
}
