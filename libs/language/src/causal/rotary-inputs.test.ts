/** Frequencies of rotary scalings, as `ROPE_INIT_FUNCTIONS` of transformers 5.18 compute them for a Llama. */
import { Gemma3TextConfig, LlamaConfig } from '@blip2/config';
import { describe, expect, test } from 'vitest';

import { rotaryFrequencies, rotationFactor } from './rotary-inputs.ts';

type Recorded = readonly [
  name: string,
  parameters: Readonly<Record<string, unknown>>,
  maxPositions: number,
  frequencies: readonly number[],
  factor: number,
];

const yarn = { rope_type: 'yarn', factor: 4, original_max_position_embeddings: 16, rope_theta: 100 };
const RECORDED: readonly Recorded[] = [
  [
    'yarn',
    yarn,
    64,
    [1, 0.35146332, 0.079056941, 0.044456985, 0.025, 0.014058532, 0.0079056947, 0.0044456986],
    1.138629436111989,
  ],
  [
    'yarn with a range of its own, which is not widened to whole pairs',
    {
      ...yarn,
      factor: 2,
      original_max_position_embeddings: 32,
      rope_theta: 10_000,
      beta_fast: 8,
      beta_slow: 2,
      truncate: false,
    },
    64,
    [1, 0.10772172, 0.023207942, 0.0049999999, 0.0010772172, 0.00023207947],
    1.0693147180559945,
  ],
  [
    'yarn with slopes of the factor',
    { ...yarn, mscale: 1, mscale_all_dim: 0.7 },
    64,
    [1, 0.079056941, 0.025, 0.0079056947],
    1.0379100195867799,
  ],
  [
    'yarn with a factor of its own',
    { ...yarn, original_max_position_embeddings: 8, rope_theta: 1000, attention_factor: 1.3 },
    32,
    [1, 0.044456985, 0.0079056947, 0.0014058533],
    1.3,
  ],
  [
    'yarn with the positions of the model as the original ones',
    { rope_type: 'yarn', factor: 3, rope_theta: 50 },
    32,
    [1, 0.25070688, 0.047140453, 0.017727654],
    1.109861228866811,
  ],
  [
    'dynamic, up to the positions of the model',
    { rope_type: 'dynamic', factor: 2, rope_theta: 100 },
    32,
    [1, 0.31622776, 0.1, 0.031622779],
    1,
  ],
];

describe('rotary scaling', () => {
  test.each(RECORDED)('%s', (_, parameters, maxPositions, frequencies, factor) => {
    const config = LlamaConfig.fromJson({
      hidden_size: 2 * frequencies.length,
      num_attention_heads: 1,
      max_position_embeddings: maxPositions,
      rope_parameters: parameters,
    });
    // Float32 has 24 bits; HF rounds once more on the way.
    for (const [pair, value] of rotaryFrequencies(config, maxPositions).entries())
      expect(Math.abs(value / (frequencies[pair] ?? 0) - 1)).toBeLessThan(5e-7);
    expect(rotationFactor(config)).toBeCloseTo(factor, 12);
    expect(LlamaConfig.toJson(config)).toMatchObject({ rope_parameters: parameters });
  });

  test('of a gemma ignores truncate, as HF does', () => {
    const scalingOf = (truncate: boolean): unknown =>
      Gemma3TextConfig.fromJson({ rope_parameters: { full_attention: { ...yarn, truncate } } }).ropeScaling;
    expect(scalingOf(false)).toEqual(scalingOf(true));
  });
});
