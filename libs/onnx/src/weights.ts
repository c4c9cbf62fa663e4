import { relative } from 'node:path';

import {
  type QuantizedWeight,
  type StoredTensor,
  type TensorSpec,
  type VersionedFile,
  type WeightStore,
} from '@blip2/interfaces';

import type { ElementType } from './element-type.ts';
import type { Graph } from './graph.ts';
import { cast } from './ops/cast.ts';
import { elementType, expectShape, missingWeight } from './usable-weight.ts';
import type { Value } from './value.ts';
import type { GraphNode } from './write-model.ts';

/** Looks up tensors by full checkpoint name. `shape` is the shape that the graph expects. */
export interface WeightFinder {
  readonly folder?: string;
  readonly packedFolder?: string | undefined;
  has(name: string): boolean;
  find(name: string, shape: readonly number[]): StoredTensor | undefined;
  /**
   * The quantized form `[out, in]` of a linear layer's matrix, if the store has one. `transposed` is true if the
   * checkpoint stores the floats as `[in, out]`.
   */
  findQuantized?(name: string, shape: readonly number[], transposed: boolean): QuantizedWeight | undefined;
  /** Whether a tensor is trained: an input of the graph under its name, in float32, instead of a mapped file. */
  isTrained?(name: string): boolean;
  /** The graph that a builder writes its nodes to, if its own is a section of a larger one. */
  readonly section?: Section;
  /** Called with the nodes of each graph once it is complete. */
  onGraphBuilt?(nodes: readonly GraphNode[]): void;
}

/** Where a graph takes its tensors from: the tensors of a checkpoint, or a function that looks them up. */
export type WeightSource = WeightStore | WeightFinder;

/** Looks up the tensors of a store. */
export function storeFinder({ folder, packedFolder, tensors, quantized }: WeightStore): WeightFinder {
  return {
    folder,
    packedFolder,
    has: (name) => tensors.has(name) || quantized?.has(name) === true,
    find: (name) => tensors.get(name),
    findQuantized: (name) => quantized?.get(name),
  };
}

/**
 * The same tensors, of which those that `isTrained` names are inputs of the graphs, updated between runs. All others
 * stay mapped where they are. A trained matrix is not quantized, and the source need not have it.
 */
export function trainedWeights(source: WeightSource, isTrained: (name: string) => boolean): WeightFinder {
  const finder = finderOf(source);
  return {
    ...finder,
    isTrained,
    findQuantized: (name, shape, transposed) =>
      isTrained(name) ? undefined : finder.findQuantized?.(name, shape, transposed),
  };
}

/** A source as a function that looks up tensors. */
export function finderOf(source: WeightSource): WeightFinder {
  return 'tensors' in source ? storeFinder(source) : source;
}

/** A quantized matrix of a linear layer in a graph: values and scales. */
export type QuantizedValue =
  | { readonly precision: 'int8'; readonly values: Value<'int8'>; readonly scales: Value<'float32'> }
  | {
      readonly precision: 'q8' | 'q4';
      readonly values: Value<'uint8'>;
      readonly scales: Value<'float32'>;
      readonly blockSize: number;
    };

/** State shared by all views of one graph's weights. */
export interface SharedWeights {
  readonly graph: Graph;
  readonly finder: WeightFinder;
  readonly stored: Map<string, Value>;
  readonly float32: Map<string, Value<'float32'>>;
  readonly quantized: Map<string, QuantizedValue>;
  /** Trained weights, which are inputs of the graph. */
  readonly trained: Map<string, Value<'float32'>>;
  /** The files that the graph refers to, by path and version. */
  readonly files: Map<string, VersionedFile>;
}

/** Where a builder writes its nodes if its graph is a section of a larger one (`writeSection`). */
export interface Section {
  readonly shared: SharedWeights;
  /** The value of the larger graph that is an input of the section. */
  input(name: string, spec: TensorSpec): Value;
  /** Takes the outputs of the section. */
  finish(outputs: Readonly<Record<string, Value>>): void;
}

/** The weights of an empty graph. */
export function sharedWeights(graph: Graph, finder: WeightFinder): SharedWeights {
  const [stored, float32, quantized] = [new Map(), new Map(), new Map()];
  return { graph, finder, stored, float32, quantized, trained: new Map(), files: new Map() };
}

/**
 * Checkpoint tensors under one path. Names are relative to it.
 *
 * @throws Blip2Error `MISSING_WEIGHT` from the getters if the checkpoint lacks the tensor.
 * @throws Blip2Error `SHAPE_MISMATCH` from the getters if it has another shape.
 * @throws Blip2Error `UNSUPPORTED_DTYPE` from the getters if it is stored as integers.
 */
export class Weights {
  /** Full path of this view, without the final dot. */
  readonly path: string;
  readonly #state: SharedWeights;

  constructor(state: SharedWeights, path: string) {
    this.#state = state;
    this.path = path;
  }

  /** What the graph has used of its weights so far. */
  get shared(): SharedWeights {
    return this.#state;
  }

  /** The tensors under a path below this one. */
  at(path: string): Weights {
    return new Weights(this.#state, this.#full(path));
  }

  has(name: string): boolean {
    return this.#state.finder.has(this.#full(name));
  }

  /** The tensor in float32. onnxruntime converts other float types once, when it loads the graph. */
  get(name: string, shape: readonly number[]): Value<'float32'> {
    const full = this.#full(name);
    const known = this.#state.float32.get(full);
    if (known) return known;
    const stored = this.getStored(name, shape);
    const { graph } = this.#state;
    const value = graph.scope(full, () => cast(graph, stored, 'float32'));
    this.#state.float32.set(full, value);
    return value;
  }

  /** The tensor in its stored type, for operators that pick rows before converting them to float32. */
  getStored(name: string, shape: readonly number[]): Value {
    const full = this.#full(name);
    const { finder, stored } = this.#state;
    const known = stored.get(full);
    if (finder.isTrained?.(full)) return this.#trained(full, shape);
    const tensor = finder.find(full, shape);
    if (!tensor) throw missingWeight(full, shape, finder.folder);
    expectShape(full, tensor.shape, shape, tensor.file);
    if (known) return known;
    const value = this.#external(elementType(tensor), tensor);
    stored.set(full, value);
    return value;
  }

  #trained(name: string, shape: readonly number[]): Value<'float32'> {
    const { graph, finder, stored, trained } = this.#state;
    const known = trained.get(name);
    if (known) {
      expectShape(name, known.axes as readonly number[], shape, finder.folder ?? '');
      return known;
    }
    const value = graph.input(name, 'float32', shape);
    trained.set(name, value);
    stored.set(name, value);
    return value;
  }

  /** The quantized matrix `[out, in]` of a linear layer; undefined if the store holds it as floats. */
  getQuantized(
    name: string,
    shape: readonly [out: number, inner: number],
    transposed = false,
  ): QuantizedValue | undefined {
    const full = this.#full(name);
    const { finder, stored, quantized } = this.#state;
    const weight = finder.findQuantized?.(full, shape, transposed);
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
    const { graph, finder, files } = this.#state;
    const { file, version } = tensor;
    if (version !== undefined) files.set(`${file}\0${version}`, { file, version });
    return graph.external(type, tensor, finder.folder === undefined ? '' : relative(finder.folder, file));
  }

  #full(name: string): string {
    return this.path ? `${this.path}.${name}` : name;
  }
}
