import { Blip2Error, type WeightStore } from '@blip2/interfaces';

/** What a model reads from its checkpoint. */
export interface ExpectedTensor {
  readonly name: string;
  readonly shape: readonly number[];
}

/** Throws `MISSING_WEIGHT` or `SHAPE_MISMATCH` for the first tensor that the model would not find as it needs it. */
export function expectWeights(expected: readonly ExpectedTensor[], { folder, tensors }: WeightStore): void {
  const missing = expected.filter(({ name }) => !tensors.has(name));
  const [first] = missing;
  if (first) throw new Blip2Error('MISSING_WEIGHT', `The checkpoint lacks ${missing.length} of ${expected.length} tensors`, { where: folder, expected: first.name });
  for (const { name, shape } of expected) {
    const stored = tensors.get(name);
    if (!stored || String(stored.shape) === String(shape)) continue;
    throw new Blip2Error('SHAPE_MISMATCH', `The tensor ${name} has the wrong shape`, {
      where: stored.file, expected: `[${shape.join(', ')}]`, got: `[${stored.shape.join(', ')}]`, fix: 'Use the config.json that belongs to these weights',
    });
  }
}
