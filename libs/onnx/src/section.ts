import { Blip2Error, type Signature, type TensorSpec } from '@blip2/interfaces';

import { formatAxes } from './axes.ts';
import type { GraphInputs, GraphOutputs, WrittenModel } from './graph-types.ts';
import type { Value } from './value.ts';
import { finderOf, type Section, type SharedWeights, type Weights, type WeightSource } from './weights.ts';

/**
 * The inputs of a section under the axes that it declares: where two graphs meet they may name equal lengths otherwise.
 * @throws Blip2Error `SHAPE_MISMATCH` if a value has another type, rank or known length.
 */
export function sectionInputs(where: string, section: Section, { inputs }: Signature): Record<string, Value> {
  const entries = Object.entries(inputs).map(([key, spec]): [string, Value] => {
    const value = section.input(key, spec);
    const fits =
      value.type === spec.type &&
      value.axes.length === spec.axes.length &&
      value.axes.every((axis, index) => {
        const declared = spec.axes[index];
        return typeof axis !== 'number' || typeof declared !== 'number' || axis === declared;
      });
    if (fits) return [key, { ...value, axes: spec.axes }];
    throw new Blip2Error('SHAPE_MISMATCH', 'The input of a section must have its declared type and shape', {
      where: `${where}.${key}`,
      expected: `${spec.type} ${formatAxes(spec.axes)}`,
      got: `${value.type} ${formatAxes(value.axes)}`,
    });
  });
  return Object.fromEntries(entries);
}

/** What the inputs of a section are. */
export interface SectionInputs<S extends Signature> {
  /** Values of the larger graph. */
  readonly given: Partial<GraphInputs<S>>;
  /** Adds an input to the larger graph for one that is not given. */
  input(name: string, spec: TensorSpec): Value;
}

/**
 * Writes the graph of a builder as a section of a larger one, whose weights are `shared`, and returns its outputs.
 * `from` is where it finds its weights, if not where the larger graph does.
 * @throws Blip2Error `SHAPE_MISMATCH` if a value does not fit the input that it is given for; `INVALID_ARGUMENT` for a
 * value that is not an input of the section; `INVALID_STATE` for a builder that passes on other weights.
 */
export function sectionOf<S extends Signature>(
  shared: SharedWeights,
  build: (weights: WeightSource) => WrittenModel<S>,
  { given, input }: SectionInputs<S>,
  from?: WeightSource,
): GraphOutputs<S> {
  const finder = from ? finderOf(from) : shared.finder;
  const unused = new Set(Object.keys(given));
  let finished: Readonly<Record<string, Value>> | undefined;
  build({
    ...finder,
    section: {
      shared: { ...shared, finder },
      input(key, spec) {
        unused.delete(key);
        return (given as Readonly<Record<string, Value | undefined>>)[key] ?? input(key, spec);
      },
      finish: (results) => void (finished = results),
    },
  });
  const [extra] = unused;
  if (extra !== undefined)
    throw new Blip2Error('INVALID_ARGUMENT', { argument: extra, expected: 'an input of the section', got: 'none' });
  if (finished) return finished as GraphOutputs<S>;
  throw new Blip2Error('INVALID_STATE', 'A section must be built from the weights that its builder is called with');
}

/**
 * Writes the graph of a builder as a section of the graph that `weights` belong to. All of its inputs are values of
 * that graph. Nodes have the name of the section as a prefix; tensors and constants are shared.
 * @throws Blip2Error the codes of `sectionOf`; `SHAPE_MISMATCH` for an input that is not given.
 */
export function writeSection<S extends Signature>(
  { shared }: Weights,
  build: (weights: WeightSource) => WrittenModel<S>,
  inputs: GraphInputs<S>,
  from?: WeightSource,
): GraphOutputs<S> {
  const input = (name: string, { type, axes }: TensorSpec): never => {
    throw new Blip2Error('SHAPE_MISMATCH', 'Every input of a section must be given', {
      where: name,
      expected: `${type} ${formatAxes(axes)}`,
      got: 'nothing',
    });
  };
  return sectionOf(shared, build, { given: inputs, input }, from);
}
