import type { NormFold, StoredTensor, WeightStore } from '@blip2/interfaces';

import { readTensor } from '../safetensors/read-tensor.ts';
import { ELEMENT_BYTES } from '../safetensors/stored-type.ts';

/**
 * Rows of a matrix whose weights stand for all of it, evenly spread: the largest of a column is needed about, and
 * full-size matrices are not read twice.
 */
const SAMPLED_ROWS = 64;
/**
 * Factors below four in either direction are left out: on the demo checkpoints, without outliers, evening all features
 * out costs a tenth more error of the scores instead of less.
 */
const MIN_EXPONENT = 2;

/**
 * By what to divide each feature in a norm, and multiply it in the layers behind it, so that no feature leaves the
 * others of its row without bits. A feature that the norm makes
 * large and the layers read with small weights takes bits from the others in each product, for nothing. The factor is
 * the geometric mean of both sides, as in
 * SmoothQuant (arXiv 2211.10438, equation 4, with α = 0.5), but the norm's own weights stand for the activations, so
 * that no images are needed. Powers of two,
 * so that no weight is rounded. Nothing if no feature stands out.
 */
export async function featureFactors(
  { tensors }: WeightStore,
  { norm, layers }: NormFold,
): Promise<Float32Array | undefined> {
  const normWeight = tensors.get(norm);
  if (!normWeight) return undefined;
  const gain = (await readTensor(normWeight)).data;
  const largest = new Float32Array(gain.length);
  for (const name of layers) {
    const layer = tensors.get(name);
    if (!layer || layer.shape[1] !== gain.length) return undefined;
    await addLargest(layer, largest);
  }
  const exponents = Array.from(gain, (value, feature) => Math.log2(Math.abs(value) / (largest[feature] ?? 0)) / 2);
  const finite = exponents.filter(Number.isFinite);
  const mean = finite.reduce((sum, exponent) => sum + exponent, 0) / finite.length;
  const factors = Float32Array.from(exponents, (exponent) =>
    Number.isFinite(exponent) && Math.abs(exponent - mean) >= MIN_EXPONENT ? 2 ** Math.round(exponent - mean) : 1,
  );
  return factors.some((factor) => factor !== 1) ? factors : undefined;
}

/** Raises each number to the largest size in its column of the matrix. */
async function addLargest(layer: StoredTensor, largest: Float32Array): Promise<void> {
  const [rows = 0, inner = 1] = layer.shape;
  const count = Math.min(rows, SAMPLED_ROWS);
  for (let i = 0; i < count; i++) {
    const row = Math.floor((i * rows) / count);
    const bytes = inner * ELEMENT_BYTES[layer.dtype];
    const { data } = await readTensor({
      ...layer,
      shape: [inner],
      byteOffset: layer.byteOffset + row * bytes,
      byteLength: bytes,
    });
    data.forEach((weight, feature) => (largest[feature] = Math.max(largest[feature] ?? 0, Math.abs(weight))));
  }
}
