import { Blip2Error, type TensorSpec } from '@blip2/interfaces';

import type { OnnxFile } from './read-onnx-file.ts';

/**
 * Refuses a file with an input that cannot be given. `known` returns true for the names that can.
 * @throws Blip2Error `UNSUPPORTED_ARCHITECTURE`, with the names of all others.
 */
export function expectKnownInputs(
  { file, model }: Pick<OnnxFile, 'file' | 'model'>,
  known: (name: string) => boolean,
  expected: string,
): void {
  const others = Object.keys(model.signature.inputs).filter((name) => !known(name));
  if (others.length === 0) return;
  throw new Blip2Error('UNSUPPORTED_ARCHITECTURE', 'The file has inputs that cannot be given', {
    where: file,
    expected,
    got: others.join(', '),
    fix: 'Export the model without them, or write a part as a plain object',
  });
}

/**
 * The specification of an input or output that a file must have, with its rank.
 * @throws Blip2Error `UNSUPPORTED_ARCHITECTURE` if it is missing or has another type or rank.
 */
export function expectFileValue(
  { file, model }: Pick<OnnxFile, 'file' | 'model'>,
  kind: 'inputs' | 'outputs',
  name: string,
  { type, axes }: TensorSpec,
): TensorSpec {
  const specs = model.signature[kind];
  const spec = Object.hasOwn(specs, name) ? specs[name] : undefined;
  if (spec?.type === type && spec.axes.length === axes.length) return spec;
  throw new Blip2Error('UNSUPPORTED_ARCHITECTURE', `The file must have ${name} among its ${kind}`, {
    where: file,
    subject: name,
    expected: `${type} [${axes.join(', ')}]`,
    got: spec ? `${spec.type} [${spec.axes.join(', ')}]` : Object.keys(specs).join(', ') || 'none',
  });
}

/**
 * The fixed length of an axis.
 * @throws Blip2Error `INVALID_ARGUMENT` that names the option to pass, if neither the file nor `known` states it.
 */
export function expectFixedAxis(
  file: string,
  { axes }: TensorSpec,
  axis: number,
  option: string,
  known: number | undefined,
): number {
  const length = axes.at(axis);
  if (typeof length === 'number') {
    if (known === undefined || known === length) return length;
    throw new Blip2Error('INVALID_ARGUMENT', `${option} must be the length in the file`, {
      argument: option,
      where: file,
      expected: String(length),
      got: String(known),
    });
  }
  if (known !== undefined) return known;
  throw new Blip2Error('INVALID_ARGUMENT', `The file does not state ${option}`, {
    argument: option,
    where: file,
    fix: `Pass ${option}`,
  });
}
