/** The chain of training: bridge forward, loss and gradient of the frozen language model, bridge backward. */
import { join } from 'node:path';

import { openModelWeights, readTensor } from '@blip2/checkpoint';
import { Blip2Config, Blip2QFormerConfig, InstructBlipConfig, readConfig } from '@blip2/config';
import { expectDifferentiable, type LossAndGradient, type Tensor, type TokenIds } from '@blip2/interfaces';
import {
  BRIDGE_PARTS,
  type BridgeInputs,
  type BridgePart,
  createTrainableBridge,
  type NamedTensors,
} from '@blip2/qformer';
import { pseudoRandomTensor } from '@blip2/testing';
import { describe, expect, test } from 'vitest';

import { openModelParts } from './checkpoint-parts.ts';

const cases = join(import.meta.dirname, '../../../../tools/parity/cases');
const TARGETS: readonly TokenIds[] = [
  [9, 12, 7],
  [14, 6],
];
const PROMPTS: readonly TokenIds[] = [[3], [3, 5]];

interface Chain extends AsyncDisposable {
  readonly weights: NamedTensors;
  loss(): Promise<LossAndGradient>;
  gradients(): Promise<{ readonly loss: number; readonly gradients: NamedTensors }>;
}

async function open(
  name: string,
  trained: readonly BridgePart[],
  options: Parameters<typeof openModelParts>[2],
): Promise<Chain> {
  const folder = join(cases, name, 'checkpoint');
  const store = await openModelWeights(folder);
  const config = Blip2QFormerConfig.fromJson(await readConfig(folder), folder);
  const [outFeatures = 0, inFeatures = 0] = store.tensors.get('language_projection.weight')?.shape ?? [];
  const numQueryTokens = store.tensors.get('query_tokens')?.shape[1] ?? 0;
  const plan = { config, numQueryTokens, projection: { inFeatures, outFeatures }, trained };
  const bridge = createTrainableBridge(plan, store, { threads: 1 });
  const isInstruct = name.startsWith('instructblip');
  const settings = { threads: 1, ...options };
  const parts = isInstruct
    ? await openModelParts(InstructBlipConfig, folder, settings)
    : await openModelParts(Blip2Config, folder, settings);
  const language = expectDifferentiable(await parts.language());
  const entries = bridge.trained.map(async ({ name: tensor }): Promise<[string, Tensor<'float32'>]> => {
    const stored = store.tensors.get(tensor);
    if (!stored) throw new TypeError(`no ${tensor}`);
    const { dims, data } = await readTensor(stored);
    return [tensor, { type: 'float32', dims, data }];
  });
  const weights = Object.fromEntries(await Promise.all(entries));
  const inputs: BridgeInputs = {
    features: pseudoRandomTensor(2, 6, config.encoderHiddenSize),
    ...(isInstruct && {
      text: {
        inputIds: [
          [5, 6, 7],
          [8, 9, 7],
        ],
      },
    }),
  };
  const loss = async (): Promise<LossAndGradient> =>
    language.lossAndGradient(await bridge.forward(inputs, weights), TARGETS, { promptIds: PROMPTS });
  return {
    weights,
    loss,
    async gradients() {
      const { loss: value, prefixGradient } = await loss();
      return { loss: value, gradients: await bridge.backward(inputs, prefixGradient, weights) };
    },
    async [Symbol.asyncDispose]() {
      await parts[Symbol.asyncDispose]();
      await bridge.dispose();
      await store[Symbol.asyncDispose]();
    },
  };
}

/** One step of gradient descent, in place; its length is `rate`. */
function descend(weights: NamedTensors, gradients: NamedTensors, rate: number): void {
  const squares = Object.values(gradients).map(({ data }) => data.reduce((sum, value) => sum + value * value, 0));
  const length = Math.sqrt(squares.reduce((a, b) => a + b, 0));
  for (const [name, { data }] of Object.entries(weights))
    data.forEach((value, at) => (data[at] = value - (rate / length) * (gradients[name]?.data[at] ?? Number.NaN)));
}

describe.each(['opt', 't5', 'instructblip-llama'])('%s', (name) => {
  test.each([[BRIDGE_PARTS], [['projection']], [['query_tokens']]] as const)(
    'training %j lowers the loss',
    async (trained) => {
      await using chain = await open(name, trained, {});
      const { loss: before } = await chain.gradients();
      for (let step = 0; step < 30; step++) descend(chain.weights, (await chain.gradients()).gradients, 0.1);
      const { loss: after, targetCount } = await chain.loss();
      expect(targetCount).toBe(5);
      expect(after).toBeLessThan(trained.length === 1 && trained[0] === 'query_tokens' ? 0.9 * before : 0.7 * before);
    },
  );
});

test('a language model in a worker returns the same', async () => {
  await using inline = await open('opt', ['projection'], {});
  await using worker = await open('opt', ['projection'], { isolate: 'worker' });
  const [expected, got] = [await inline.gradients(), await worker.gradients()];
  expect(got.loss).toBe(expected.loss);
  expect(got.gradients).toEqual(expected.gradients);
});

test('a run gives the same bits again', async () => {
  await using first = await open('instructblip-llama', BRIDGE_PARTS, {});
  await using second = await open('instructblip-llama', BRIDGE_PARTS, {});
  expect(await second.gradients()).toEqual(await first.gradients());
});

test('an int8 language model lowers the loss of the float32 one as well', async () => {
  await using exact = await open('opt', ['projection'], {});
  await using int8 = await open('opt', ['projection'], { dtype: 'int8' });
  for (const [name, { data }] of Object.entries(int8.weights)) data.set(exact.weights[name]?.data ?? []);
  const { loss: before } = await exact.loss();
  for (let step = 0; step < 30; step++) descend(int8.weights, (await int8.gradients()).gradients, 0.1);
  for (const [name, { data }] of Object.entries(exact.weights)) data.set(int8.weights[name]?.data ?? []);
  expect((await exact.loss()).loss).toBeLessThan(0.7 * before);
});
