/** Every graph of the Q-Former can be differentiated: with text, masks, head masks and relative positions. */
import { join } from 'node:path';

import { openModelWeights } from '@blip2/checkpoint';
import { Blip2QFormerConfig, readConfig } from '@blip2/config';
import type { Tensor } from '@blip2/interfaces';
import { buildPullback, type WeightSource, type WrittenModel } from '@blip2/onnx';
import { createSession } from '@blip2/runtime';
import { pseudoRandomTensor } from '@blip2/testing';
import { expect, test } from 'vitest';

import { buildQFormer } from './qformer-graph.ts';
import { PLAIN_REQUEST, type QFormerRequest } from './qformer-request.ts';
import { imageDistances, selfDistances } from './relative-positions.ts';

const [BATCH, POSITIONS] = [2, 5];

type Feeds = Record<string, Tensor>;

const zeros = (...dims: number[]): Tensor<'float32'> => ({
  type: 'float32',
  dims,
  data: new Float32Array(dims.reduce((a, b) => a * b, 1)),
});

const CASES: readonly (readonly [what: string, name: string, request: Partial<QFormerRequest>, feeds: Feeds])[] = [
  ['queries only', 'opt', {}, {}],
  ['attention maps', 'opt', { attentions: true, hiddenStates: true }, {}],
  [
    'masks',
    'opt',
    { masked: 'pairs', encoderMasked: true },
    {
      attention_bias: zeros(BATCH, 1, POSITIONS, POSITIONS),
      encoder_attention_bias: zeros(BATCH, 1, 1, POSITIONS),
    },
  ],
  ['queries and text', 'itm', { queryLength: 3, masked: true }, { attention_bias: zeros(BATCH, 1, 1, POSITIONS) }],
  ['text only', 'itm', { queryLength: 0 }, {}],
  ['relative positions', 'qformer-relative-key', {}, {}],
];

test.each(CASES)('%s', async (_, name, requested, more) => {
  const folder = join(import.meta.dirname, '../../../../tools/parity/cases', name, 'checkpoint');
  const config = Blip2QFormerConfig.fromJson(await readConfig(folder), folder);
  await using store = await openModelWeights(folder);
  const request = { ...PLAIN_REQUEST, ...requested };
  const build = (weights: WeightSource): WrittenModel => buildQFormer(config, weights, 'qformer', request);
  const outputs = ['last_hidden_state', 'pooler_output'];
  const forward = build(store);
  const isSeen = 'encoder_hidden_states' in forward.signature.inputs;
  const wanted = ['query_embeds', ...(isSeen ? ['encoder_hidden_states'] : [])];
  const feeds: Feeds = {
    query_embeds: pseudoRandomTensor(BATCH, POSITIONS, config.hiddenSize),
    ...(isSeen && { encoder_hidden_states: pseudoRandomTensor(BATCH, POSITIONS, config.encoderHiddenSize) }),
    ...('distances' in forward.signature.inputs && {
      distances: selfDistances(config, POSITIONS, 0),
      image_distances: imageDistances(config, POSITIONS, POSITIONS),
    }),
    ...more,
  };
  await using session = await createSession(forward);
  const run = (given: Feeds): Promise<Readonly<Record<string, Tensor<'float32'>>>> =>
    session.run(given as never) as never;
  const results = await run(feeds);
  const seeds = Object.fromEntries(
    outputs.map((output) => [`gradient.${output}`, pseudoRandomTensor(...(results[output]?.dims ?? []))]),
  );
  await using pullback = await createSession(buildPullback({ build, weights: store, outputs, inputs: wanted }));
  const found: Readonly<Record<string, Tensor<'float32'>>> = (await pullback.run({
    ...feeds,
    ...seeds,
  } as never)) as never;
  for (const input of wanted) {
    const value = feeds[input] as Tensor<'float32'>;
    const direction = pseudoRandomTensor(...value.dims).data.toReversed();
    const gradient = found[`gradient.${input}`]?.data ?? new Float32Array();
    const expected = gradient.reduce((sum, each, at) => sum + each * (direction[at] ?? 0), 0);
    const moved = async (step: number): Promise<number> => {
      const data = value.data.map((each, at) => each + step * (direction[at] ?? 0));
      const all = await run({ ...feeds, [input]: { ...value, data } });
      let sum = 0;
      for (const output of outputs)
        all[output]?.data.forEach((each, at) => (sum += each * (seeds[`gradient.${output}`]?.data[at] ?? 0)));
      return sum;
    };
    const h = 1 / 512;
    const [a, b, c, d] = [await moved(2 * h), await moved(h), await moved(-h), await moved(-2 * h)];
    const slope = (8 * (b - c) - (a - d)) / (12 * h);
    const length = Math.sqrt(gradient.reduce((sum, each) => sum + each * each, 0));
    expect(length, input).toBeGreaterThan(1e-3);
    expect(Math.abs(slope - expected), input).toBeLessThan(0.02 * Math.max(Math.abs(expected), length) + 0.05);
  }
});
