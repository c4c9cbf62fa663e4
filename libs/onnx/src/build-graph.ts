import {
  Blip2Error,
  type GraphTarget,
  type OnnxModel,
  type Signature,
  type TensorSpec,
  type TensorType,
  type VersionedFile,
} from '@blip2/interfaces';

import { formatAxes, sameAxes } from './axes.ts';
import { DATA_TYPE } from './element-type.ts';
import { fuseBiasGelu } from './fuse-bias-gelu.ts';
import { Graph, RUNTIME_DOMAIN } from './graph.ts';
import { lowerGraph } from './standard/lower-graph.ts';
import { DEFAULT_OPSET, expectOpset, irVersionOf } from './standard/opsets.ts';
import type { Value } from './value.ts';
import { type QuantizedValue, storeFinder, Weights, type WeightSource } from './weights.ts';
import { type GraphNode, type ModelMessage, type ValueInfo, writeModel } from './write-model.ts';

/** A model with the names of the checkpoint tensors that it uses. */
export interface WrittenModel<S extends Signature = Signature> extends OnnxModel<S> {
  readonly weightNames: readonly string[];
  /** The graph itself, which others can include. */
  readonly graph: Graph;
  /** What `serialize` writes, as objects. */
  message(target?: GraphTarget): ModelMessage;
}

type TypeOf<Spec> = Spec extends TensorSpec<infer T> ? T : Spec extends undefined ? never : TensorType;
export type GraphInputs<S extends Signature> = { readonly [K in keyof S['inputs']]: Value<TypeOf<S['inputs'][K]>> };
export type GraphOutputs<S extends Signature> = { readonly [K in keyof S['outputs']]: Value<TypeOf<S['outputs'][K]>> };

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
  const graph = new Graph();
  const finder = 'tensors' in weights ? storeFinder(weights) : weights;
  const stored = new Map<string, Value>();
  const quantized = new Map<string, QuantizedValue>();
  const files = new Map<string, VersionedFile>();
  const entries = Object.entries(signature.inputs).map(([key, { type, axes }]) => [key, graph.input(key, type, axes)]);
  const outputs = body(
    graph,
    Object.fromEntries(entries),
    new Weights({ graph, finder, stored, float32: new Map(), quantized, files }, prefix),
  );
  for (const [key, spec] of Object.entries(signature.outputs))
    exposeOutput(graph, `${name}.${key}`, key, spec, outputs[key]);
  finder.onGraphBuilt?.(graph.nodes);
  const prepack = prepackOf(quantized);
  // Leave other graphs to the optimizer of onnxruntime: they load quickly, or are cached in optimized form.
  const fused = prepack === 'afterFirstRun';
  const nodes = fused ? fuseBiasGelu(graph) : graph.nodes;
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

function prepackOf(quantized: ReadonlyMap<string, QuantizedValue>): OnnxModel['prepack'] {
  if (quantized.size === 0) return undefined;
  return [...quantized.values()].every(({ precision }) => precision === 'int8') ? 'afterFirstRun' : 'onLoad';
}

/** Names an output after comparing it with its declaration. */
function exposeOutput(
  graph: Graph,
  where: string,
  name: string,
  { type, axes }: TensorSpec,
  value: Value | undefined,
): void {
  if (!value) throw new Blip2Error('SHAPE_MISMATCH', 'The graph must compute every declared output', { where });
  if (value.type !== type || !sameAxes(value.axes, axes)) {
    throw new Blip2Error('SHAPE_MISMATCH', 'The output must have its declared type and shape', {
      where,
      expected: `${type} ${formatAxes(axes)}`,
      got: `${value.type} ${formatAxes(value.axes)}`,
    });
  }
  graph.output(name, value);
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
