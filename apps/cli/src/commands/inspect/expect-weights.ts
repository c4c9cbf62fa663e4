import { listNames, missingTensors } from '@blip2/blip2';
import { Blip2Error, type WeightStore } from '@blip2/interfaces';

/** A tensor that the model reads. */
export interface ExpectedTensor {
  readonly name: string;
  readonly shape: readonly number[];
}

/**
 * Checks that a checkpoint has every tensor of the model.
 * @throws Blip2Error `MISSING_WEIGHT` with the names of the missing tensors; `SHAPE_MISMATCH` for the first tensor with
 * another shape.
 */
export function expectWeights(expected: readonly ExpectedTensor[], { folder, tensors }: WeightStore): void {
  const missing = missingTensors(expected, tensors);
  if (missing.length > 0)
    throw new Blip2Error('MISSING_WEIGHT', `The checkpoint lacks ${missing.length} of ${expected.length} tensors`, {
      where: folder,
      expected: listNames(missing),
    });
  for (const { name, shape } of expected) {
    const stored = tensors.get(name);
    if (!stored || String(stored.shape) === String(shape)) continue;
    throw new Blip2Error('SHAPE_MISMATCH', `The tensor ${name} has the wrong shape`, {
      where: stored.file,
      expected: `[${shape.join(', ')}]`,
      got: `[${stored.shape.join(', ')}]`,
      fix: 'Use the config.json of these weights',
      subject: name,
    });
  }
}
