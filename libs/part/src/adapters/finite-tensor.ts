import { readTensor } from '@blip2/checkpoint';
import { Blip2Error, type StoredTensor } from '@blip2/interfaces';

/** Elements that are looked at together. */
const ELEMENTS = 2 ** 20;

/**
 * Reads a tensor of an adapter that replaces one of the base model.
 * @throws Blip2Error `INVALID_CHECKPOINT` for a value that is not finite; the codes of `readTensor`.
 */
export async function expectFiniteTensor(tensor: StoredTensor): Promise<void> {
  const count = tensor.shape.reduce((product, axis) => product * axis, 1);
  const size = tensor.byteLength / Math.max(count, 1);
  for (let first = 0; first < count; first += ELEMENTS) {
    const length = Math.min(ELEMENTS, count - first);
    const { data } = await readTensor({
      ...tensor,
      shape: [length],
      byteOffset: tensor.byteOffset + first * size,
      byteLength: length * size,
    });
    if (data.every(Number.isFinite)) continue;
    throw new Blip2Error('INVALID_CHECKPOINT', 'The adapter has a value that is not a finite number', {
      where: `${tensor.name} in ${tensor.file}`,
      subject: tensor.name,
      fix: 'Save the adapter again, or train it again if its training diverged',
    });
  }
}
