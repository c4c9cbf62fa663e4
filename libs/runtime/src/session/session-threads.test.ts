import { f32, type OnnxModel, type SessionOptions } from '@blip2/interfaces';
import { beforeEach, describe, expect, test, vi } from 'vitest';

import { defaultThreads } from '../threads/default-threads.ts';
import { createSession } from './create-session.ts';

const opened: Readonly<Record<string, unknown>>[] = [];

vi.mock('../threads/default-threads.ts', () => ({ defaultThreads: vi.fn() }));
vi.mock('../onnxruntime/devices.ts', () => ({ expectDevice: async () => {} }));
vi.mock('../onnxruntime/onnx-runtime.ts', () => ({
  loadOnnxRuntime: async () => ({
    InferenceSession: {
      create: async (_: Uint8Array, options: Readonly<Record<string, unknown>>) => (
        opened.push(options),
        { run: async () => ({}), release: async () => {} }
      ),
    },
  }),
}));

beforeEach(() => {
  opened.length = 0;
  vi.mocked(defaultThreads).mockReset().mockResolvedValue({ encoder: 3, prompt: 2, decode: 1, fewRows: 8 });
});

const model: OnnxModel = {
  name: 'graph',
  signature: { inputs: {}, outputs: { y: f32(1) } },
  serialize: () => new Uint8Array(),
};

async function settings(options?: SessionOptions, graph: OnnxModel = model): Promise<readonly unknown[]> {
  await using session = await createSession(graph, options);
  await session.run({});
  await session.run({});
  return opened.map(({ intraOpNumThreads }) => intraOpNumThreads);
}

describe('threads of a session', () => {
  test('are the default', async () => {
    expect(await settings()).toEqual([3]);
    expect(await settings({ device: 'cpu' })).toEqual([3, 3]);
  });

  test('are the same for plain and for prepacked weights', async () => {
    expect(await settings({}, { ...model, prepack: 'afterFirstRun' })).toEqual([3, 3]);
    expect(defaultThreads).toHaveBeenCalledOnce();
  });

  test('are those of the phase', async () => {
    expect(await settings({ phase: 'decode' })).toEqual([1]);
    expect(await settings({ phase: 'prompt' })).toEqual([1, 2]);
  });

  test('are left to onnxruntime if only those of another phase are known', async () => {
    vi.mocked(defaultThreads).mockResolvedValue({ decode: 1 });
    expect(await settings({ phase: 'prompt' })).toEqual([undefined]);
  });

  test('are left to onnxruntime without a default', async () => {
    vi.mocked(defaultThreads).mockResolvedValue(undefined);
    await settings();
    expect(opened.map((options) => Object.keys(options).includes('intraOpNumThreads'))).toEqual([false]);
  });

  test('are the given number, without a measurement', async () => {
    expect(await settings({ threads: 7 })).toEqual([7]);
    expect(defaultThreads).not.toHaveBeenCalled();
  });

  test('are left to onnxruntime on other devices', async () => {
    expect(await settings({ device: 'cuda' })).toEqual([undefined]);
    expect(defaultThreads).not.toHaveBeenCalled();
  });
});
