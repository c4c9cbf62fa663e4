import { relative } from 'node:path';

import { Blip2Error, type QuantizedWeight, type StoredTensor, type WeightStore } from '@blip2/interfaces';

import { formatAxes, sameAxes } from './axes.ts';
import { ELEMENT_TYPE, type ElementType } from './element-type.ts';
import type { NodeProto } from './generated/onnx_pb.ts';
import type { Graph } from './graph.ts';
import { cast } from './ops/cast.ts';
import type { Value } from './value.ts';

/** Finds a tensor by its full checkpoint name; `shape` is what the graph expects. */
export interface WeightFinder {
  readonly folder?: string;
  readonly packedFolder?: string | undefined;
  has(name: string): boolean;
  find(name: string, shape: readonly number[]): StoredTensor | undefined;
  /** The integer form of the matrix of a linear layer, where it is held so. */
  findQuantized?(name: string, shape: readonly number[]): QuantizedWeight | undefined;
  /** Called with the nodes of each graph once it is complete. */
  onGraphBuilt?(nodes: readonly NodeProto[]): void;
}

export function storeFinder({ folder, packedFolder, tensors, quantized }: WeightStore): WeightFinder {
  return {
    folder,
    packedFolder,
    has: (name) => tensors.has(name) || quantized?.has(name) === true,
    find: (name) => tensors.get(name),
    findQuantized: (name) => quantized?.get(name),
  };
}

/** The matrix of a linear layer as integers, in a graph. */
export type QuantizedValue =
  | { readonly precision: 'int8'; readonly values: Value<'int8'>; readonly scales: Value<'float32'> }
  | {
      readonly precision: 'q8' | 'q4';
      readonly values: Value<'uint8'>;
      readonly scales: Value<'float32'>;
      readonly blockSize: number;
    };

/** What all views of one graph's weights share. */
interface Origin {
  readonly graph: Graph;
  readonly finder: WeightFinder;
  readonly stored: Map<string, Value>;
  readonly float32: Map<string, Value<'float32'>>;
  readonly quantized: Map<string, QuantizedValue>;
}

/** Checkpoint tensors under one path. `get` fails if the name is absent or the shape differs. */
export class Weights {
  /** Full path of this view, without the final dot. */
  readonly path: string;
  readonly #origin: Origin;

  constructor(origin: Origin, path: string) {
    this.#origin = origin;
    this.path = path;
  }

  at(path: string): Weights {
    return new Weights(this.#origin, this.#full(path));
  }

  has(name: string): boolean {
    return this.#origin.finder.has(this.#full(name));
  }

  /** The tensor in float32. Narrower floats are widened by the runtime once, when the graph is loaded. */
  get(name: string, shape: readonly number[]): Value<'float32'> {
    const full = this.#full(name);
    const known = this.#origin.float32.get(full);
    if (known) return known;
    const stored = this.getStored(name, shape);
    const { graph } = this.#origin;
    const value = graph.scope(full, () => cast(graph, stored, 'float32'));
    this.#origin.float32.set(full, value);
    return value;
  }

  /** The tensor as it is stored, for operators that pick rows before they widen them. */
  getStored(name: string, shape: readonly number[]): Value {
    const full = this.#full(name);
    const { finder, stored } = this.#origin;
    const known = stored.get(full);
    const tensor = finder.find(full, shape);
    if (!tensor) throw missingWeight(full, shape, finder);
    expectShape(full, tensor.shape, shape, tensor.file);
    if (known) return known;
    const value = this.#external(elementType(tensor), tensor);
    stored.set(full, value);
    return value;
  }

  /** The matrix `[out, in]` of a linear layer as integers; nothing where it is held as floats. */
  getQuantized(name: string, shape: readonly [out: number, inner: number]): QuantizedValue | undefined {
    const full = this.#full(name);
    const { finder, stored, quantized } = this.#origin;
    const weight = finder.findQuantized?.(full, shape);
    if (!weight) return undefined;
    expectShape(full, weight.shape, shape, weight.values.file);
    const known = quantized.get(full);
    if (known) return known;
    const scales = this.#external('float32', weight.scales);
    const value: QuantizedValue =
      weight.precision === 'int8'
        ? { precision: 'int8', values: this.#external('int8', weight.values), scales }
        : {
            precision: weight.precision,
            values: this.#external('uint8', weight.values),
            scales,
            blockSize: weight.blockSize,
          };
    quantized.set(full, value);
    stored.set(full, value.values);
    return value;
  }

  #external<T extends ElementType>(type: T, tensor: StoredTensor): Value<T> {
    const { graph, finder } = this.#origin;
    return graph.external(type, tensor, finder.folder === undefined ? '' : relative(finder.folder, tensor.file));
  }

  #full(name: string): string {
    return this.path ? `${this.path}.${name}` : name;
  }
}

function expectShape(name: string, got: readonly number[], expected: readonly number[], where: string): void {
  if (sameAxes(got, expected)) return;
  throw new Blip2Error('SHAPE_MISMATCH', `The tensor ${name} has the wrong shape`, {
    expected: formatAxes(expected),
    got: formatAxes(got),
    where,
    fix: 'Use the config.json that belongs to these weights',
  });
}

function elementType({ name, dtype, file }: StoredTensor): ElementType {
  const type = ELEMENT_TYPE[dtype];
  if (!type) {
    throw new Blip2Error('UNSUPPORTED_DTYPE', `The tensor ${name} cannot be used as a weight`, {
      expected: Object.keys(ELEMENT_TYPE).join(', '),
      got: dtype,
      where: file,
      fix: 'Use a checkpoint with float weights',
    });
  }
  return type;
}

function missingWeight(name: string, shape: readonly number[], { folder }: WeightFinder): Blip2Error {
  return new Blip2Error('MISSING_WEIGHT', `The checkpoint has no tensor ${name}`, {
    expected: formatAxes(shape),
    ...(folder !== undefined && { where: folder }),
    fix: 'Use a complete checkpoint whose config.json names this architecture',
  });
}
