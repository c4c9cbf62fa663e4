import { readdir } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';

import { Blip2Error } from '@blip2/interfaces';

import { loadOnnxRuntime, type OnnxRuntime } from './onnx-runtime.ts';

/** What is asked of the binding about devices. */
export type DeviceRuntime = Pick<OnnxRuntime, 'listSupportedBackends'> & {
  readonly InferenceSession: {
    create(
      model: Uint8Array,
      options: { readonly executionProviders: readonly string[]; readonly logSeverityLevel: 4 },
    ): Promise<{ release(): Promise<void> }>;
  };
};

export interface DeviceFacts {
  /** Default: the runtime that is installed. */
  readonly runtime?: DeviceRuntime;
  /** Names of the libraries beside the binding. Default: those that lie there. */
  readonly libraries?: () => Promise<readonly string[]>;
}

/** Needs no asking: the binding always has it. */
const CPU = 'cpu';
/** What has been found out about the devices of the installed runtime. */
const asked = new Map<string, Promise<void>>();

/**
 * What to do where the binding knows a device but the installation lacks its library. Source: the installation script
 * of onnxruntime-node 1.30.
 */
const INSTALL: Readonly<Record<string, string>> = {
  cuda: 'Install onnxruntime-node with its CUDA libraries (ONNXRUNTIME_NODE_INSTALL=cuda12, Linux x64 with CUDA 12 and cuDNN 9), or use device cpu',
  tensorrt:
    'Install onnxruntime-node with its CUDA libraries (ONNXRUNTIME_NODE_INSTALL=cuda12, Linux x64) and TensorRT, or use device cpu',
};

/**
 * Says early whether sessions can be made for a device: the binding must list it, its library must be installed, and a
 * graph of one node must load on it. `cpu` costs nothing.
 * @throws Blip2Error `UNSUPPORTED_DEVICE` with what is supported here and what to do.
 */
export async function expectDevice(device: string, facts?: DeviceFacts): Promise<void> {
  if (device === CPU) return;
  if (facts) return askDevice(device, facts);
  const answer = asked.get(device) ?? askDevice(device, {});
  asked.set(device, answer);
  return answer;
}

async function askDevice(
  device: string,
  { runtime: given, libraries = installedLibraries }: DeviceFacts,
): Promise<void> {
  const runtime: DeviceRuntime = given ?? (await loadOnnxRuntime());
  const backends = runtime.listSupportedBackends();
  const found = await libraries();
  const isHere = (name: string, bundled: boolean): boolean =>
    bundled || found.some((file) => file.includes(`providers_${name}`));
  const expected = backends
    .filter(({ name, bundled }) => isHere(name, bundled))
    .map(({ name }) => name)
    .join(', ');
  const backend = backends.find(({ name }) => name === device);
  if (!backend)
    throw new Blip2Error('UNSUPPORTED_DEVICE', 'onnxruntime has no such device here', {
      argument: 'device',
      expected,
      got: device,
      fix: 'Use device cpu',
    });
  if (!isHere(device, backend.bundled)) {
    // The runtime itself would print a line of its log besides failing.
    throw new Blip2Error('UNSUPPORTED_DEVICE', 'The library of this device is not installed', {
      argument: 'device',
      expected,
      got: device,
      fix: INSTALL[device] ?? 'Use device cpu',
    });
  }
  await expectSession(runtime, device);
}

async function expectSession(runtime: DeviceRuntime, device: string): Promise<void> {
  try {
    const session = await runtime.InferenceSession.create(ONE_NODE, {
      executionProviders: [device],
      logSeverityLevel: 4,
    });
    await session.release();
  } catch (cause) {
    const got = cause instanceof Error ? cause.message.trim() : String(cause);
    throw new Blip2Error('UNSUPPORTED_DEVICE', `No graph loads on the device ${device} of this machine`, {
      argument: 'device',
      expected: CPU,
      got,
      fix: 'Check the driver and the libraries of the device, or use device cpu',
      cause,
    });
  }
}

/** Where onnxruntime-node keeps what it installs: `bin/napi-vN/PLATFORM/ARCHITECTURE`. */
async function installedLibraries(): Promise<readonly string[]> {
  const binaries = join(dirname(createRequire(import.meta.url).resolve('onnxruntime-node')), '..', 'bin');
  const versions = await readdir(binaries).catch(() => []);
  const lists = await Promise.all(
    versions.map((version) => readdir(join(binaries, version, process.platform, process.arch)).catch(() => [])),
  );
  return lists.flat();
}

/**
 * `y = Identity(x)` over one float, as ONNX's protobuf has it: IR version 8, a graph of a node, a name, an input and an
 * output, and the set of operators 17.
 */
const ONE_NODE: Uint8Array = Buffer.from(
  [
    '0808',
    '3a37',
    '0a10' + '0a0178' + '120179' + '22084964656e74697479',
    '120167',
    '5a0f' + '0a0178' + '120a0a08080112040a020801',
    '620f' + '0a0179' + '120a0a08080112040a020801',
    '42021011',
  ].join(''),
  'hex',
);
