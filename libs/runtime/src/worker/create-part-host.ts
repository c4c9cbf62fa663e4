import { needsChildProcess } from '../onnxruntime/silence-telemetry.ts';
import { processChannel } from './channel/process-channel.ts';
import { threadChannel } from './channel/thread-channel.ts';
import { createInlinePartHost } from './inline-part-host.ts';
import { createIsolatedPartHost } from './isolated-part-host.ts';
import type { Isolation, PartHost, PartHostOptions } from './part-host.ts';

/**
 * Creates a host for parts. A worker starts with its first part or with `start`, and does not keep the process alive
 * while idle. See `effectiveIsolation` for threads of the caller.
 */
export function createPartHost({ isolate, resourceLimits }: PartHostOptions): PartHost {
  const effective = effectiveIsolation(isolate);
  if (effective === 'inline') return createInlinePartHost();
  const open = effective === 'worker' ? threadChannel(resourceLimits) : processChannel(resourceLimits);
  return createIsolatedPartHost(effective, open);
}

/**
 * Where parts run if `isolate` is requested: as requested, but in a child process if the caller is a thread in which
 * onnxruntime must not be loaded: one that was started before the main thread has loaded a model or created a worker.
 * Only the environment of a process can disable the telemetry of onnxruntime.
 */
export function effectiveIsolation(isolate: Isolation): Isolation {
  return needsChildProcess() ? 'process' : isolate;
}
