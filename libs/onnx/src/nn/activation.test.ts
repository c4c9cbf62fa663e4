import { readFileSync } from 'node:fs';

import { activations } from '@blip2/config';
import { f32 } from '@blip2/interfaces';
import { createSession } from '@blip2/runtime';
import { describe, expect, test } from 'vitest';

import { buildGraph } from '../build-graph.ts';
import { layeredSpecs, layeredTensors, layeredValues } from '../layered.ts';
import { recordWeights } from '../plan/record-weights.ts';
import { activation } from './activation.ts';

interface Recorded {
  readonly inputs: readonly number[];
  readonly outputs: Readonly<Record<string, readonly number[]>>;
}

const recorded = JSON.parse(
  readFileSync(new URL('../../../../tools/parity/cases/values/activations.json', import.meta.url), 'utf8'),
) as Recorded;
const specs = layeredSpecs('y', activations.length, f32(1, recorded.inputs.length));
const signature = { inputs: { x: f32(1, recorded.inputs.length) }, outputs: specs };
const unweighted = { has: () => false, find: () => undefined };

describe('activations', () => {
  test('match Hugging Face Transformers for every name that a configuration may contain', async () => {
    const graph = buildGraph({ name: 'activations', signature, weights: unweighted }, (g, { x }) =>
      layeredValues(
        'y',
        activations.map((name) => activation(g, x, name)),
      ),
    );
    await using session = await createSession(graph);
    const outputs = await session.run({
      x: { type: 'float32', dims: [1, recorded.inputs.length], data: Float32Array.from(recorded.inputs) },
    });
    const results = layeredTensors(outputs, 'y', activations.length, 2);
    expect(Object.keys(recorded.outputs).toSorted()).toEqual(activations.toSorted());
    for (const [index, name] of activations.entries()) {
      const expected = recorded.outputs[name] ?? [];
      const largest = Math.max(
        ...expected.map(
          (value, i) => Math.abs(value - (results[index]?.data[i] ?? Number.NaN)) / (1 + Math.abs(value)),
        ),
      );
      expect(largest, name).toBeLessThan(1e-6);
    }
  });

  test('of unknown names are rejected with a list of all names', () => {
    const write = (name: string) => (): unknown =>
      buildGraph(
        { name, signature: { inputs: { x: f32(1) }, outputs: { y: f32(1) } }, weights: unweighted },
        (g, { x }) => ({ y: activation(g, x, name) }),
      );
    const refusal = (name: string): string => {
      try {
        write(name)();
      } catch (error) {
        return String(error);
      }
      return 'accepted';
    };
    const listed = /must be one of (.*), got "toString"/.exec(refusal('toString'))?.[1]?.split(', ');
    expect(listed?.toSorted()).toEqual(activations.toSorted());
    expect(write('gelu_like')).toThrow(expect.objectContaining({ code: 'INVALID_CONFIG' }));
  });

  test('have no weights', () => {
    expect(
      recordWeights(
        (weights) =>
          void buildGraph(
            { name: 'gelu', signature: { inputs: { x: f32(1) }, outputs: { y: f32(1) } }, weights },
            (g, { x }) => ({ y: activation(g, x, 'gelu') }),
          ),
      ),
    ).toEqual([]);
  });
});
