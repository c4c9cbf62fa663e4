import { describe, expect, test, vi } from 'vitest';

import { type DeviceFacts, expectDevice } from './devices.ts';

/** A binding like onnxruntime-node 1.30 on Linux. */
function facts({ libraries = [], fails }: { readonly libraries?: readonly string[]; readonly fails?: string } = {}) {
  const release = vi.fn(async () => {});
  const create = vi.fn(() => (fails === undefined ? Promise.resolve({ release }) : Promise.reject(new Error(fails))));
  const backends = [
    { name: 'cpu', bundled: true },
    { name: 'webgpu', bundled: true },
    { name: 'cuda', bundled: false },
    { name: 'tensorrt', bundled: false },
  ];
  return {
    create,
    release,
    runtime: { listSupportedBackends: () => backends, InferenceSession: { create } },
    libraries: async () => libraries,
  } satisfies DeviceFacts & Record<string, unknown>;
}

describe('expectDevice', () => {
  test('does not check cpu', async () => {
    const { create, ...known } = facts({ fails: 'no' });
    await expectDevice('cpu', known);
    expect(create).not.toHaveBeenCalled();
  });

  test('lists the supported devices for an unknown one', async () => {
    await expect(expectDevice('abacus', facts())).rejects.toMatchObject({
      code: 'UNSUPPORTED_DEVICE',
      details: { expected: 'cpu, webgpu', got: 'abacus', fix: 'Use device cpu' },
    });
    await expect(
      expectDevice('abacus', facts({ libraries: ['libonnxruntime_providers_cuda.so'] })),
    ).rejects.toMatchObject({ details: { expected: 'cpu, webgpu, cuda' } });
  });

  test.each(['cuda', 'tensorrt'])(
    'advises how to install %s and does not try it without its library',
    async (device) => {
      const { create, ...known } = facts({ libraries: ['libonnxruntime.so.1', 'onnxruntime_binding.node'] });
      await expect(expectDevice(device, known)).rejects.toMatchObject({
        code: 'UNSUPPORTED_DEVICE',
        details: { expected: 'cpu, webgpu', fix: expect.stringContaining('ONNXRUNTIME_NODE_INSTALL=cuda12') as string },
      });
      expect(create).not.toHaveBeenCalled();
    },
  );

  test('tries the device and releases the session', async () => {
    const { create, release, ...known } = facts({ libraries: ['libonnxruntime_providers_cuda.so'] });
    await expectDevice('cuda', known);
    expect(create).toHaveBeenCalledWith(
      expect.any(Uint8Array),
      expect.objectContaining({ executionProviders: ['cuda'] }),
    );
    expect(release).toHaveBeenCalledOnce();
  });

  test('quotes onnxruntime if no graph loads on the device', async () => {
    await expect(expectDevice('webgpu', facts({ fails: 'No supported adapters\n' }))).rejects.toMatchObject({
      code: 'UNSUPPORTED_DEVICE',
      details: { got: 'No supported adapters', expected: 'cpu' },
    });
  });

  test('checks the installed onnxruntime', async () => {
    await expect(expectDevice('abacus')).rejects.toMatchObject({
      code: 'UNSUPPORTED_DEVICE',
      details: { expected: expect.stringMatching(/^cpu\b/) as string },
    });
    await expect(expectDevice('abacus')).rejects.toMatchObject({ code: 'UNSUPPORTED_DEVICE' });
  });

  test('tries a graph that the installed onnxruntime loads', async () => {
    const { InferenceSession } = await import('onnxruntime-node');
    const known = facts();
    const onCpu = {
      listSupportedBackends: known.runtime.listSupportedBackends,
      InferenceSession: {
        create: (model: Uint8Array) => InferenceSession.create(model, { executionProviders: ['cpu'] }),
      },
    };
    await expect(expectDevice('webgpu', { runtime: onCpu, libraries: known.libraries })).resolves.toBeUndefined();
  });
});
