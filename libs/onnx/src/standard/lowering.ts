import { type Axis, Blip2Error } from '@blip2/interfaces';

import { type Attribute, nodeAttribute } from '../attribute.ts';
import { type ConstantType, DATA_TYPE, rawData } from '../element-type.ts';
import type { GraphNode, Initializer } from '../write-model.ts';

/** What a graph is rewritten for. */
export interface LoweringTarget {
  readonly opset: number;
  readonly operators: 'runtime' | 'standard';
}

/** A graph that is being rewritten in other operators: the new nodes and initializers so far. */
export class Lowering {
  readonly nodes: GraphNode[] = [];
  readonly target: LoweringTarget;
  readonly #initializers: Map<string, Initializer>;
  readonly #axes: ReadonlyMap<string, readonly Axis[]>;
  readonly #constants = new Map<string, string>();
  readonly #counts = new Map<string, number>();

  constructor(
    target: LoweringTarget,
    initializers: readonly Initializer[],
    axes: ReadonlyMap<string, readonly Axis[]>,
  ) {
    this.target = target;
    this.#initializers = new Map(initializers.map((tensor) => [tensor.name, tensor]));
    this.#axes = axes;
  }

  get initializers(): Initializer[] {
    return [...this.#initializers.values()];
  }

  /** The axes of a value of the original graph. */
  axesOf(name: string): readonly Axis[] {
    const axes = this.#axes.get(name);
    if (axes) return axes;
    throw new Blip2Error('SHAPE_MISMATCH', 'The axes of a value must be known', { where: name });
  }

  /** Keeps a node as it is. */
  keep(node: GraphNode): void {
    this.nodes.push(node);
  }

  /** Adds a standard operator that replaces a part of `source`; returns the name of its output. */
  add(
    source: GraphNode,
    opType: string,
    input: readonly string[],
    attributes: Readonly<Record<string, Attribute>> = {},
    output: string = this.#unique(`${source.output[0] ?? source.name}/${opType}`),
  ): string {
    const attribute = Object.entries(attributes).map(([key, value]) => nodeAttribute(key, value));
    this.nodes.push({ name: output, opType, domain: '', input, output: [output], attribute });
    return output;
  }

  /** A small tensor inside the graph; equal ones are stored once. */
  constant(type: ConstantType, dims: readonly number[], numbers: readonly number[]): string {
    return this.bytes(`${type}[${dims}]=${numbers}`, DATA_TYPE[type], dims, () => rawData(type, numbers));
  }

  /** As `constant`, for any type: `key` stands for the type and the contents. */
  bytes(key: string, dataType: number, dims: readonly number[], data: () => Uint8Array): string {
    const known = this.#constants.get(key);
    if (known !== undefined) return known;
    const name = this.#unique('standard/constant');
    this.#initializers.set(name, { name, dataType, dims, rawData: data() });
    this.#constants.set(key, name);
    return name;
  }

  initializer(name: string): Initializer | undefined {
    return this.#initializers.get(name);
  }

  /** Replaces the type and the shape of a stored tensor; its bytes stay the same. */
  reinterpret(name: string, dataType: number, dims: readonly number[]): void {
    const tensor = this.#initializers.get(name);
    if (!tensor) throw new Blip2Error('MISSING_WEIGHT', 'A quantized matrix must be a stored tensor', { where: name });
    this.#initializers.set(name, { ...tensor, dataType, dims });
  }

  #unique(base: string): string {
    const count = this.#counts.get(base) ?? 0;
    this.#counts.set(base, count + 1);
    return `${base}_${count}`;
  }
}

/** Rewrites one node. */
export type LoweringRule = (to: Lowering, node: GraphNode) => void;

export function intOf({ attribute }: GraphNode, name: string): number | undefined {
  const value = attribute.find((each) => each.name === name)?.i;
  return value === undefined ? undefined : Number(value);
}

export function floatOf({ attribute }: GraphNode, name: string): number | undefined {
  return attribute.find((each) => each.name === name)?.f;
}

/** The input at an index; the graph writer always gives those that rules ask for. */
export function inputOf({ input, opType }: GraphNode, index: number): string {
  const name = input[index];
  if (name !== undefined && name !== '') return name;
  throw new Blip2Error('SHAPE_MISMATCH', `The operator ${opType} must have input ${index}`, { where: opType });
}
