import { f32, type Tensor } from '@blip2/interfaces';
import { describe, expect, test } from 'vitest';

import { layeredSpecs, layeredTensors, layeredValues, namedTensor } from './layered.ts';

const tensor = (...dims: number[]): Tensor => ({
  type: 'float32',
  dims,
  data: new Float32Array(dims.reduce((a, b) => a * b, 1)),
});
const failed: unknown = expect.objectContaining({ code: 'SESSION_FAILED' });

describe('layered outputs', () => {
  test('have one name per layer in the signature, the graph and the results', () => {
    const specs = layeredSpecs('hidden_states', 2, f32('batch', 4));
    expect(Object.keys(specs)).toEqual(['hidden_states.0', 'hidden_states.1']);
    expect(
      Object.keys(
        layeredValues('hidden_states', [
          { name: 'a', type: 'float32', axes: [] },
          { name: 'b', type: 'float32', axes: [] },
        ]),
      ),
    ).toEqual(Object.keys(specs));
    const outputs = { 'hidden_states.0': tensor(1, 2, 3), 'hidden_states.1': tensor(3, 2, 1) };
    expect(layeredTensors(outputs, 'hidden_states', 2, 3)).toEqual(Object.values(outputs));
  });

  test('fail if one is missing or has another rank or type', () => {
    expect(() => layeredTensors({ 'h.0': tensor(1, 2, 3) }, 'h', 2, 3)).toThrow(failed);
    expect(() => namedTensor({ h: tensor(1, 2) }, 'h', 3)).toThrow(failed);
    expect(() => namedTensor({ h: { type: 'int64', dims: [1, 1], data: BigInt64Array.of(1n) } }, 'h', 2)).toThrow(
      failed,
    );
  });
});
