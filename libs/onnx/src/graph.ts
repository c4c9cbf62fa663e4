import type { ActivationBits, Axis, StoredTensor, TensorType } from '@blip2/interfaces';

import { nodeAttribute } from './attribute.ts';
import { type ConstantType, DATA_TYPE, type ElementType, rawData } from './element-type.ts';
import type { OwnPullback } from './gradient/own-pullback.ts';
import type { NodeOptions, NodeValues, OutputSpec } from './node-options.ts';
import type { Sign, Value } from './value.ts';
import type { GraphNode, Initializer } from './write-model.ts';

/** Domain of onnxruntime's own operators: fused matrix products and attention, which the standard lacks. */
export const RUNTIME_DOMAIN = 'com.microsoft';

/**
 * A graph under construction: nodes and initializers in order. Operators (`ops/`) are functions that add nodes to it,
 * and layers (`nn/`) are functions that combine operators.
 */
export class Graph {
  readonly nodes: GraphNode[] = [];
  readonly initializers: Initializer[] = [];
  /** Values whose axes are declared in the graph, because onnxruntime cannot infer them. */
  readonly declared: Value[] = [];
  /** Axes of every value by name. */
  readonly axes: Map<string, readonly Axis[]> = new Map();
  /** Layers with a pullback of their own, by the name of their result (`withPullback`). */
  readonly ownPullbacks: Map<string, OwnPullback> = new Map();
  #scope = '';
  #section = '';
  readonly #names = new Map<string, number>();
  readonly #constants = new Map<string, Value>();
  /** Data of constants that differ with 7-bit activations, by name. */
  readonly #atSevenBits = new Map<string, Uint8Array>();
  readonly #signs = new Map<Value, Sign>();
  readonly #results = new Map<string, Map<Value | string, unknown>>();
  readonly #numbers = new Map<string, readonly number[]>();
  readonly #nodeValues = new Map<GraphNode, NodeValues>();

  /** Calls `body` with `path`, the checkpoint path of a layer, as the prefix of node names. */
  scope<R>(path: string, body: () => R): R {
    const outer = this.#scope;
    this.#scope = path;
    try {
      return body();
    } finally {
      this.#scope = outer;
    }
  }

  /**
   * Calls `body` with the name of a section as the prefix of all node names, and of the axes that it declares: their
   * lengths may differ from those of equal names elsewhere.
   */
  section<R>(name: string, body: () => R): R {
    const [section, scope] = [this.#section, this.#scope];
    [this.#section, this.#scope] = [section === '' ? name : `${section}/${name}`, ''];
    try {
      return body();
    } finally {
      [this.#section, this.#scope] = [section, scope];
    }
  }

  /** Adds a node with one output. */
  node<T extends ElementType>(
    opType: string,
    inputs: readonly (Value | undefined)[],
    output: OutputSpec<T>,
    options: NodeOptions = {},
  ): Value<T> {
    const value = this.#value<T>({ name: this.#unique(opType), ...output });
    this.#addNode(opType, inputs, [value], options);
    return value;
  }

  /** The inputs and outputs of a node, with the axes that they had when it was added. */
  valuesOf(node: GraphNode): NodeValues {
    return this.#nodeValues.get(node) ?? { inputs: [], outputs: [] };
  }

  /** The elements of a value that `constant` added; undefined for other values. */
  numbersOf({ name }: Value): readonly number[] | undefined {
    return this.#numbers.get(name);
  }

  /** Asks a node for an optional output, at `index` of the operator's definition, and returns it. */
  optionalOutput<T extends ElementType>(node: GraphNode, index: number, spec: OutputSpec<T>): Value<T> {
    const { outputs } = this.valuesOf(node);
    for (let next = outputs.length; next <= index; next++) {
      const value = this.#value({ name: `${node.name}:${next}`, ...spec });
      (outputs as Value[]).push(value);
      (node.output as string[]).push(value.name);
    }
    return outputs[index] as Value<T>;
  }

  /**
   * Declares the axes of a value in the graph. onnxruntime invents a name for every axis that it cannot infer and
   * compares it with all earlier ones: with a few hundred of them, loading a graph takes seconds. Values with equal
   * axis names may share memory, so a name must stand for one length.
   */
  declare<T extends ElementType>(value: Value<T>): Value<T> {
    const own = (axis: Axis): Axis =>
      typeof axis === 'string' && this.#section !== '' ? `${this.#section}/${axis}` : axis;
    this.declared.push({ ...value, axes: value.axes.map(own) });
    return value;
  }

  /** Records what is known of the sign of a value's elements and returns the value. */
  markSign<V extends Value>(value: V, sign: Sign): V {
    this.#signs.set(value, sign);
    return value;
  }

  /** The recorded sign of a value, `'signed'` if there is none. */
  signOf(value: Value): Sign {
    return this.#signs.get(value) ?? 'signed';
  }

  /**
   * Builds a result once per graph: later calls with the same `kind` and `key` return the first call's result. A kind
   * belongs to one type of result.
   */
  once<R>(kind: string, key: Value | string, build: () => R): R {
    const results = this.#results.get(kind) ?? new Map<Value | string, unknown>();
    this.#results.set(kind, results);
    if (!results.has(key)) results.set(key, build());
    return results.get(key) as R;
  }

  /** Adds a node with several outputs of one type, in the order of the operator's definition. */
  multiNode<T extends ElementType>(
    opType: string,
    inputs: readonly (Value | undefined)[],
    [first, ...others]: readonly [OutputSpec<T>, ...OutputSpec<T>[]],
    options: NodeOptions = {},
  ): [Value<T>, ...Value<T>[]] {
    const name = this.#unique(opType);
    const values: [Value<T>, ...Value<T>[]] = [
      this.#value<T>({ name: `${name}:0`, ...first }),
      ...others.map((output, index) => this.#value<T>({ name: `${name}:${index + 1}`, ...output })),
    ];
    this.#addNode(opType, inputs, values, options, name);
    return values;
  }

  /** Adds a small tensor stored inside the graph. Equal constants are stored once. */
  constant<T extends ConstantType>(type: T, dims: readonly number[], numbers: readonly number[]): Value<T> {
    return this.#constant(`${type}[${dims}]=${numbers}`, type, dims, numbers);
  }

  /** Adds a number that depends on the bits of activations, which are chosen when the graph is serialized. */
  numberByBits<T extends ConstantType>(
    type: T,
    dims: readonly [] | readonly [1],
    numbers: Readonly<Record<ActivationBits, number>>,
  ): Value<T> {
    const value = this.#constant(`${type}[${dims}]=${numbers[8]} or ${numbers[7]}`, type, dims, [numbers[8]]);
    this.#atSevenBits.set(value.name, rawData(type, [numbers[7]]));
    return value;
  }

  #constant<T extends ConstantType>(
    key: string,
    type: T,
    dims: readonly number[],
    numbers: readonly number[],
  ): Value<T> {
    const known = this.#constants.get(key);
    if (known) return known as Value<T>;
    const value = this.#value<T>({ name: `constant/${this.#constants.size}`, type, axes: dims });
    this.initializers.push({
      name: value.name,
      dataType: DATA_TYPE[type],
      dims,
      rawData: rawData(type, numbers),
    });
    this.#constants.set(key, value);
    this.#numbers.set(value.name, numbers);
    return value;
  }

  /** The initializers of the graph for activations of 7 or 8 bits. */
  initializersAt(bits: ActivationBits): Initializer[] {
    if (bits === 8) return this.initializers;
    return this.initializers.map((tensor) => {
      const data = this.#atSevenBits.get(tensor.name);
      return data ? { ...tensor, rawData: data } : tensor;
    });
  }

  /** Adds a tensor that is mapped in place from a checkpoint file; `location` is relative to the weights folder. */
  external<T extends ElementType>(type: T, stored: StoredTensor, location: string): Value<T> {
    this.initializers.push({
      name: stored.name,
      dataType: DATA_TYPE[type],
      dims: stored.shape,
      externalData: { location, offset: String(stored.byteOffset), length: String(stored.byteLength) },
      stored,
    });
    return this.#value({ name: stored.name, type, axes: stored.shape });
  }

  /** Adds a graph input. `buildGraph` calls it for each input of the signature. */
  input<T extends TensorType>(name: string, type: T, axes: readonly Axis[]): Value<T> {
    this.#names.set(name, 1);
    return this.#value({ name, type, axes });
  }

  /** Exposes a value as a graph output. `buildGraph` calls it for each output of the signature. */
  output(name: string, value: Value): void {
    this.#addNode('Identity', [value], [{ ...value, name }], {});
  }

  #value<T extends ElementType>(value: Value<T>): Value<T> {
    this.axes.set(value.name, value.axes);
    return value;
  }

  #addNode(
    opType: string,
    inputs: readonly (Value | undefined)[],
    outputs: Value[],
    { domain = '', attributes = {} }: NodeOptions,
    name = outputs[0]?.name ?? '',
  ): void {
    const attribute = Object.entries(attributes).flatMap(([key, value]) => (value ? [nodeAttribute(key, value)] : []));
    const output = outputs.map((value) => value.name);
    const node = { name, opType, domain, input: inputs.map((input) => input?.name ?? ''), output, attribute };
    this.nodes.push(node);
    this.#nodeValues.set(node, { inputs, outputs });
  }

  #unique(opType: string): string {
    const base = [this.#section, this.#scope, opType].filter((part) => part !== '').join('/');
    const count = this.#names.get(base) ?? 0;
    this.#names.set(base, count + 1);
    return count === 0 ? base : `${base}_${count}`;
  }
}
