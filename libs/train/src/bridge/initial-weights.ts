import { randomTensorSource, readTensor } from '@blip2/checkpoint';
import type { Blip2Config } from '@blip2/config';
import { Blip2Error, type Tensor, type WeightStore } from '@blip2/interfaces';
import { transformerInitializer } from '@blip2/part';
import { type BridgePart, type BridgePlan, isTrainedTensor, type NamedTensors, trainedTensors } from '@blip2/qformer';

/** How a bridge starts. */
export interface InitialSettings {
  /** Parts that start from random values. */
  readonly reset: readonly BridgePart[];
  readonly seed: number;
}

/**
 * The tensors of the trained parts: from a checkpoint, or random as Hugging Face Transformers initializes them. It sets
 * query tokens to zero, which are equal then and stay so; they are normal here, as in LAVIS.
 * @throws Blip2Error `MISSING_WEIGHT` and `SHAPE_MISMATCH` for a part that does not fit and is not reset.
 */
export async function initialWeights(
  plan: BridgePlan,
  config: Pick<Blip2Config, 'initializerRange'>,
  store: WeightStore,
  { reset, seed }: InitialSettings,
): Promise<NamedTensors> {
  const weights: Record<string, Tensor<'float32'>> = {};
  for (const { name, shape } of trainedTensors(plan)) {
    const isReset = isTrainedTensor({ trained: reset }, name);
    weights[name] = isReset
      ? await randomTensor(name, shape, plan, config, seed)
      : await storedTensor(name, shape, store);
  }
  return weights;
}

async function randomTensor(
  name: string,
  shape: readonly number[],
  { config }: BridgePlan,
  { initializerRange }: Pick<Blip2Config, 'initializerRange'>,
  seed: number,
): Promise<Tensor<'float32'>> {
  const std = name.startsWith('language_projection.') ? initializerRange : config.initializerRange;
  const data = new Float32Array(shape.reduce((product, axis) => product * axis, 1));
  const bytes = new Uint8Array(data.buffer);
  let done = 0;
  for await (const chunk of randomTensorSource(
    { name, shape, init: transformerInitializer(std)(name, shape) },
    seed,
  ).chunks()) {
    bytes.set(chunk, done);
    done += chunk.byteLength;
  }
  return { type: 'float32', dims: [...shape], data };
}

async function storedTensor(name: string, shape: readonly number[], store: WeightStore): Promise<Tensor<'float32'>> {
  const stored = store.tensors.get(name);
  const fix = `Reset the part that it belongs to (--reset ${partOf(name)}), or use parts that fit`;
  if (!stored)
    throw new Blip2Error('MISSING_WEIGHT', 'A tensor of a part that is trained and not reset is missing', {
      subject: name,
      where: name,
      fix,
    });
  if (stored.shape.length !== shape.length || stored.shape.some((axis, index) => axis !== shape[index]))
    throw new Blip2Error('SHAPE_MISMATCH', 'A tensor of the bridge does not fit its neighbours', {
      subject: name,
      where: name,
      expected: `[${shape.join(', ')}]`,
      got: `[${stored.shape.join(', ')}]`,
      fix,
    });
  const { dims, data } = await readTensor(stored);
  // A copy in memory of its own, which can be transferred.
  return { type: 'float32', dims, data: data.slice() };
}

function partOf(name: string): BridgePart {
  if (name === 'query_tokens') return 'query_tokens';
  return name.startsWith('language_projection.') ? 'projection' : 'qformer';
}
