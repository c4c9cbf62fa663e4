import type { MachineLimits } from './graph-profile.ts';
import { ort } from './ort.ts';
import { productModel, type ProductShape, type ProductType } from './product-model.ts';

const RUNS = 40;
/** The largest product of the vision encoder: 257 positions, 1408 features, 6144 outputs. */
const SHAPE: ProductShape = { inner: 1408, outer: 6144 };
const ROWS = 257;

/**
 * Measures multiplications per second, in billions: the best of several runs of one product of bytes and one of floats.
 */
export async function multiplyRates(): Promise<Pick<MachineLimits, 'byteProductsGMACs' | 'floatProductsGMACs'>> {
  const { inner, outer } = SHAPE;
  return {
    byteProductsGMACs: await rate(
      'bytes',
      new Uint8Array(ROWS * inner).fill(130),
      new Int8Array(inner * outer).map((_, i) => (i * 7919) % 127),
    ),
    floatProductsGMACs: await rate(
      'floats',
      new Float32Array(ROWS * inner).fill(0.5),
      new Float32Array(inner * outer).fill(0.25),
    ),
  };
}

async function rate(
  type: ProductType,
  x: Uint8Array | Float32Array,
  weights: Int8Array | Float32Array,
): Promise<number> {
  const model = productModel(type, SHAPE, weights);
  const session = await ort.InferenceSession.create(model, { executionMode: 'sequential', logSeverityLevel: 4 });
  const input = new ort.Tensor(type === 'bytes' ? 'uint8' : 'float32', x, [ROWS, SHAPE.inner]);
  let best = Infinity;
  for (let run = 0; run < RUNS; run++) {
    const begin = performance.now();
    await session.run({ x: input });
    best = Math.min(best, performance.now() - begin);
  }
  await session.release();
  return Math.round((ROWS * SHAPE.inner * SHAPE.outer) / best / 1e6);
}
