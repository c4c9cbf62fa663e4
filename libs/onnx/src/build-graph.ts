import { Blip2Error, type GraphTarget, type OnnxModel, type Signature, type TensorSpec } from '@blip2/interfaces';

import { formatAxes, sameAxes } from './axes.ts';
import { DATA_TYPE } from './element-type.ts';
import { fuseBiasGelu } from './fuse-bias-gelu.ts';
import { Graph, RUNTIME_DOMAIN } from './graph.ts';
import type { GraphInputs, GraphOutputs, WrittenModel } from './graph-types.ts';
import { sectionInputs } from './section.ts';
import { lowerGraph } from './standard/lower-graph.ts';
import { DEFAULT_OPSET, expectOpset, irVersionOf } from './standard/opsets.ts';
import type { Value } from './value.ts';
import {
  finderOf,
  type QuantizedValue,
  type SharedWeights,
  sharedWeights,
  Weights,
  type WeightSource,
} from './weights.ts';
import { type GraphNode, type ModelMessage, type ValueInfo, writeModel } from './write-model.ts';

export interface GraphPlan<S extends Signature> {
  readonly name: string;
  readonly signature: S;
  readonly weights: WeightSource;
  /** Checkpoint path of this graph's weights, such as `'vision_model'`. Default `''`. */
  readonly prefix?: string;
}

/**
 * Builds a graph: `body` is called with the inputs that the signature declares and returns its outputs.
 *
 * @throws Blip2Error `SHAPE_MISMATCH` if an output has another type or shape than declared, or values do not fit an
 * operator or a weight.
 * @throws Blip2Error `MISSING_WEIGHT` if the checkpoint lacks a tensor.
 * @throws Blip2Error `UNSUPPORTED_DTYPE` if the checkpoint stores a weight as integers.
 */
export function buildGraph<const S extends Signature>(
  { name, signature, weights, prefix = '' }: GraphPlan<S>,
  body: (g: Graph, inputs: GraphInputs<S>, weights: Weights) => GraphOutputs<S>,
): WrittenModel<S> {
  const finder = finderOf(weights);
  if (finder.section) {
    const { section } = finder;
    const given = sectionInputs(name, section, signature) as GraphInputs<S>;
    const { shared, finish } = section;
    const outputs = shared.graph.section(name, () => body(shared.graph, given, new Weights(shared, prefix)));
    finish(expectOutputs(name, signature, outputs));
    return sectionModel(name, signature, shared.graph);
  }
  const graph = new Graph();
  const shared = sharedWeights(graph, finder);
  const entries = Object.entries(signature.inputs).map(([key, { type, axes }]) => [key, graph.input(key, type, axes)]);
  const outputs = body(graph, Object.fromEntries(entries), new Weights(shared, prefix));
  return finishGraph(name, signature, shared, expectOutputs(name, signature, outputs));
}

/** The model of a complete graph. Trained weights are added to the inputs of its signature. */
export function finishGraph<S extends Signature>(
  name: string,
  declared: S,
  { graph, finder, stored, quantized, trained, files }: SharedWeights,
  outputs: Readonly<Record<string, Value>>,
): WrittenModel<S> {
  for (const [key, value] of Object.entries(outputs)) graph.output(key, value);
  finder.onGraphBuilt?.(graph.nodes);
  const prepack = prepackOf(quantized);
  // Leave other graphs to the optimizer of onnxruntime: they load quickly, or are cached in optimized form.
  const fused = prepack === 'afterFirstRun';
  const nodes = fused ? fuseBiasGelu(graph) : graph.nodes;
  const weightInputs = Object.fromEntries([...trained].map(([key, { type, axes }]) => [key, { type, axes }]));
  const signature: S = trained.size > 0 ? { ...declared, inputs: { ...declared.inputs, ...weightInputs } } : declared;
  const message = (target: GraphTarget = {}): ModelMessage => modelMessage(name, signature, graph, nodes, target);
  return {
    name,
    signature,
    ...(fused && { optimized: true }),
    ...(finder.folder !== undefined && { weightsFolder: finder.folder }),
    ...(files.size > 0 && { weightFiles: [...files.values()] }),
    ...(prepack && { prepack, ...(finder.packedFolder !== undefined && { packedFolder: finder.packedFolder }) }),
    weightNames: [...stored.keys()],
    graph,
    message,
    serialize: (target) => writeModel(message(target)),
  };
}

/** A section has no model of its own. */
function sectionModel<S extends Signature>(name: string, signature: S, graph: Graph): WrittenModel<S> {
  const refuse = (): never => {
    throw new Blip2Error('INVALID_STATE', `The graph ${name} is a section of a larger one`);
  };
  return { name, signature, weightNames: [], graph, message: refuse, serialize: refuse };
}

function prepackOf(quantized: ReadonlyMap<string, QuantizedValue>): OnnxModel['prepack'] {
  if (quantized.size === 0) return undefined;
  return [...quantized.values()].every(({ precision }) => precision === 'int8') ? 'afterFirstRun' : 'onLoad';
}

/** The declared outputs. */
function expectOutputs<S extends Signature>(
  name: string,
  { outputs: specs }: S,
  outputs: GraphOutputs<S>,
): Record<string, Value> {
  const checked = Object.entries(specs).map(([key, spec]) => [key, expectOutput(`${name}.${key}`, spec, outputs[key])]);
  return Object.fromEntries(checked);
}

/** An output, compared with its declaration. */
function expectOutput(where: string, { type, axes }: TensorSpec, value: Value | undefined): Value {
  if (!value) throw new Blip2Error('SHAPE_MISMATCH', 'The graph must compute every declared output', { where });
  if (value.type !== type || !sameAxes(value.axes, axes)) {
    throw new Blip2Error('SHAPE_MISMATCH', 'The output must have its declared type and shape', {
      where,
      expected: `${type} ${formatAxes(axes)}`,
      got: `${value.type} ${formatAxes(value.axes)}`,
    });
  }
  return value;
}

function modelMessage(
  name: string,
  { inputs, outputs }: Signature,
  graph: Graph,
  nodes: readonly GraphNode[],
  { activationBits = 8, opset, operators = 'runtime' }: GraphTarget,
): ModelMessage {
  const infos = (specs: Readonly<Record<string, TensorSpec>>): ValueInfo[] =>
    Object.entries(specs).map(([key, spec]) => valueInfo(key, spec));
  const version = opset === undefined ? DEFAULT_OPSET : expectOpset(opset);
  const initializers = graph.initializersAt(activationBits);
  const lowered =
    opset === undefined
      ? { nodes, initializers }
      : lowerGraph({ nodes: graph.nodes, initializers }, graph.axes, { opset: version, operators });
  return {
    irVersion: irVersionOf(version),
    producerName: '@blip2/onnx',
    opsets: { '': version, ...(operators === 'runtime' && { [RUNTIME_DOMAIN]: 1 }) },
    graph: {
      name,
      ...lowered,
      inputs: infos(inputs),
      outputs: infos(outputs),
      valueInfo: graph.declared.map((value) => valueInfo(value.name, value)),
    },
  };
}

function valueInfo(name: string, { type, axes }: Pick<Value, 'type' | 'axes'>): ValueInfo {
  return { name, elemType: DATA_TYPE[type], dims: axes };
}
