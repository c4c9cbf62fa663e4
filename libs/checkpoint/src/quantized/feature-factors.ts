import type { NormFold, StoredTensor, WeightStore } from '@blip2/interfaces';

import { readTensor } from '../safetensors/read-tensor.ts';
import { ELEMENT_BYTES } from '../safetensors/stored-type.ts';

/**
 * Number of evenly spaced rows sampled from each matrix. An approximate column maximum is enough, and large matrices
 * are not read twice.
 */
const SAMPLED_ROWS = 64;
/**
 * Factors below 4 in either direction are left out. On the demo checkpoints, which have no outliers, scaling all
 * features increases the error of the logits by a tenth instead of reducing it.
 */
const MIN_EXPONENT = 2;

/**
 * Per-feature factors that the norm's weights are divided by and the weights of the following layers multiplied by.
 * Without them, a feature with a large norm weight and small layer weights uses up the quantization range of its row.
 * The factor is the geometric mean of both sides as in SmoothQuant (arXiv 2211.10438, equation 4 with α = 0.5), with
 * the norm's weights in place of activations, so that no calibration images are needed. Factors are powers of two, so
 * that no weight is rounded. `undefined` if no feature stands out.
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

/** Updates `largest` with the maximum absolute values of the columns of a matrix. */
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
