import { Blip2Error, type StoredTensor } from '@blip2/interfaces';

import { formatAxes, sameAxes } from './axes.ts';
import { ELEMENT_TYPE, type ElementType } from './element-type.ts';

/**
 * Checks that a stored tensor can be used as a weight of a shape, as a graph does when it is built.
 * @throws Blip2Error `SHAPE_MISMATCH` for another shape, `UNSUPPORTED_DTYPE` if it is stored as integers.
 */
export function expectUsableWeight(tensor: StoredTensor, shape: readonly number[]): void {
  expectShape(tensor.name, tensor.shape, shape, tensor.file);
  elementType(tensor);
}

/**
 * Checks the shape of a tensor. `where` is its file.
 * @throws Blip2Error `SHAPE_MISMATCH`
 */
export function expectShape(name: string, got: readonly number[], expected: readonly number[], where: string): void {
  if (sameAxes(got, expected)) return;
  throw new Blip2Error('SHAPE_MISMATCH', `The tensor ${name} has the wrong shape`, {
    expected: formatAxes(expected),
    got: formatAxes(got),
    where,
    fix: 'Use the config.json that belongs to these weights',
  });
}

/**
 * The element type of a weight.
 * @throws Blip2Error `UNSUPPORTED_DTYPE` if it is stored as integers.
 */
export function elementType({ name, dtype, file }: StoredTensor): ElementType {
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

/** The error for a tensor that the checkpoint in `folder` lacks. */
export function missingWeight(name: string, shape: readonly number[], folder: string | undefined): Blip2Error {
  return new Blip2Error('MISSING_WEIGHT', `The checkpoint has no tensor ${name}`, {
    expected: formatAxes(shape),
    ...(folder !== undefined && { where: folder }),
    fix: 'Use a complete checkpoint whose config.json names this architecture',
  });
}
