import { readdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';

import { requireFrom } from '@blip2/files';
import { Blip2Error, messageOf } from '@blip2/interfaces';

import { loadOnnxRuntime } from './onnx-runtime.ts';
import { needsChildProcess } from './silence-telemetry.ts';

/** The part of the binding that device checks use. Its own types need the DOM library, which callers may not have. */
export interface DeviceRuntime {
  listSupportedBackends(): readonly { readonly name: string; readonly bundled: boolean }[];
  readonly InferenceSession: {
    create(
      model: Uint8Array,
      options: { readonly executionProviders: readonly string[]; readonly logSeverityLevel: 4 },
    ): Promise<{ release(): Promise<void> }>;
  };
}

export interface DeviceFacts {
  /** Default: the installed onnxruntime. */
  readonly runtime?: DeviceRuntime;
  /** Names of the libraries next to the binding. Default: the installed ones. */
  readonly libraries?: () => Promise<readonly string[]>;
}

/** Always supported, so it is never checked. */
const CPU = 'cpu';
/** Pending and finished checks by device, for the installed onnxruntime. */
const CHECKS = new Map<string, Promise<void>>();

/**
 * Advice for devices that the binding lists but whose library is not installed. Source: the installation script of
 * onnxruntime-node 1.30.
 */
const INSTALL: Readonly<Record<string, string>> = {
  cuda:
    'Install onnxruntime-node with its CUDA libraries (ONNXRUNTIME_NODE_INSTALL=cuda12, Linux x64 with CUDA 12 and ' +
    'cuDNN 9), or use device cpu',
  tensorrt:
    'Install onnxruntime-node with its CUDA libraries (ONNXRUNTIME_NODE_INSTALL=cuda12, Linux x64) and TensorRT, ' +
    'or use device cpu',
};

/**
 * Checks that sessions can be created on a device: the binding must list it, its library must be installed, and a graph
 * of one node must load on it. `cpu` is not checked.
 *
 * @throws Blip2Error `UNSUPPORTED_DEVICE` with the supported devices and advice.
 */
export async function expectDevice(device: string, facts?: DeviceFacts): Promise<void> {
  if (device === CPU) return;
  if (facts) return checkDevice(device, facts);
  // The process of the sessions checks it.
  if (needsChildProcess()) return;
  const check = CHECKS.get(device) ?? checkDevice(device, {});
  CHECKS.set(device, check);
  return check;
}

async function checkDevice(
  device: string,
  { runtime: given, libraries = installedLibraries }: DeviceFacts,
): Promise<void> {
  const runtime: DeviceRuntime = given ?? (await loadOnnxRuntime());
  const backends = runtime.listSupportedBackends();
  const found = await libraries();
  const isInstalled = (name: string, bundled: boolean): boolean =>
    bundled || found.some((file) => file.includes(`providers_${name}`));
  const expected = backends
    .filter(({ name, bundled }) => isInstalled(name, bundled))
    .map(({ name }) => name)
    .join(', ');
  const backend = backends.find(({ name }) => name === device);
  if (!backend)
    throw new Blip2Error('UNSUPPORTED_DEVICE', 'device must be supported by onnxruntime', {
      argument: 'device',
      expected,
      got: device,
      fix: 'Use device cpu',
    });
  if (!isInstalled(device, backend.bundled)) {
    // Trying it would make onnxruntime print a line of its log.
    throw new Blip2Error('UNSUPPORTED_DEVICE', `The library of the device ${device} is not installed`, {
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
    const got = messageOf(cause).trim();
    throw new Blip2Error('UNSUPPORTED_DEVICE', `onnxruntime cannot load a graph on the device ${device}`, {
      argument: 'device',
      expected: CPU,
      got,
      fix: 'Check the driver and the libraries of the device, or use device cpu',
      cause,
    });
  }
}

/** Names of the installed libraries of onnxruntime-node, in `bin/napi-vN/PLATFORM/ARCHITECTURE`. */
async function installedLibraries(): Promise<readonly string[]> {
  const binaries = join(dirname(requireFrom(import.meta.url).resolve('onnxruntime-node')), '..', 'bin');
  const versions = await readdir(binaries).catch(() => []);
  const lists = await Promise.all(
    versions.map((version) => readdir(join(binaries, version, process.platform, process.arch)).catch(() => [])),
  );
  return lists.flat();
}

/**
 * `y = Identity(x)` over one float as an ONNX protobuf message: IR version 8, a graph with a node, a name, an input and
 * an output, and operator set 17.
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
