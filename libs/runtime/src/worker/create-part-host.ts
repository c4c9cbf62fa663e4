import { createInlinePartHost } from './inline-part-host.ts';
import type { PartHost, PartHostOptions } from './part-host.ts';
import { createWorkerPartHost } from './worker-part-host.ts';

/**
 * Creates a host for parts. A worker starts with its first part or with `start`, and does not keep the process alive
 * while idle.
 */
export function createPartHost({ isolate, resourceLimits }: PartHostOptions): PartHost {
  return isolate === 'worker' ? createWorkerPartHost(resourceLimits) : createInlinePartHost();
}
