import { relative } from 'node:path';
import { Blip2Error, type StoredTensor, type WeightStore } from '@blip2/interfaces';
import { cast } from './ops/cast.ts';
import { formatAxes, sameAxes } from './axes.ts';
import { ELEMENT_TYPE, type ElementType } from './element-type.ts';
import type { Graph } from './graph.ts';
import type { Value } from './value.ts';

/** Finds a tensor by its full checkpoint name; `shape` is what the graph expects. */
export interface WeightFinder {
  readonly folder?: string;
  has(name: string): boolean;
  find(name: string, shape: readonly number[]): StoredTensor | undefined;
}

export function storeFinder({ folder, tensors }: WeightStore): WeightFinder {
  return { folder, has: (name) => tensors.has(name), find: (name) => tensors.get(name) };
}

/** What all views of one graph's weights share. */
interface Origin {
  readonly graph: Graph;
  readonly finder: WeightFinder;
  readonly stored: Map<string, Value>;
  readonly float32: Map<string, Value<'float32'>>;
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
    const { graph, finder, stored } = this.#origin;
    const known = stored.get(full);
    const tensor = finder.find(full, shape);
    if (!tensor) throw missingWeight(full, shape, finder);
    if (!sameAxes(tensor.shape, shape)) {
      throw new Blip2Error('SHAPE_MISMATCH', `The tensor ${full} has the wrong shape`, {
        expected: formatAxes(shape), got: formatAxes(tensor.shape), where: tensor.file, fix: 'Use the config.json that belongs to these weights',
      });
    }
    if (known) return known;
    const value = graph.external(elementType(tensor), tensor, finder.folder === undefined ? '' : relative(finder.folder, tensor.file));
    stored.set(full, value);
    return value;
  }

  #full(name: string): string {
    return this.path ? `${this.path}.${name}` : name;
  }
}

function elementType({ name, dtype, file }: StoredTensor): ElementType {
  const type = ELEMENT_TYPE[dtype];
  if (!type) {
    throw new Blip2Error('UNSUPPORTED_DTYPE', `The tensor ${name} cannot be used as a weight`, {
      expected: Object.keys(ELEMENT_TYPE).join(', '), got: dtype, where: file, fix: 'Use a checkpoint with float weights',
    });
  }
  return type;
}

function missingWeight(name: string, shape: readonly number[], { folder }: WeightFinder): Blip2Error {
  return new Blip2Error('MISSING_WEIGHT', `The checkpoint has no tensor ${name}`, {
    expected: formatAxes(shape), ...(folder !== undefined && { where: folder }), fix: 'Use a complete checkpoint whose config.json names this architecture',
  });
}
