/**
 * Entry of the child process of a part host. The parts run in a thread, so that this thread stays free: it forwards
 * messages, and ends the process with its parent even during a run.
 */
import { Worker } from 'node:worker_threads';

import { moduleExecArgv, moduleUrl } from '@blip2/files';

import { silenceTelemetry } from '../../onnxruntime/silence-telemetry.ts';
import { encodeError } from '../error-transfer.ts';
import { createRunGuard } from '../exit-guard.ts';
import type { Notice, Reply, Report, Request } from '../part-messages.ts';
import { lossOf } from './part-channel.ts';
import type { PartWorkerData } from './part-worker.ts';
import type { ProcessFailure, ProcessLimits } from './process-channel.ts';

let unsent = 0;
let exitCode: number | undefined;

const killSelf = (): void => void process.kill(process.pid, 'SIGKILL');

function send(message: Reply | Report | ProcessFailure): void {
  unsent++;
  process.send?.(message, undefined, undefined, () => {
    unsent--;
    exitWhenSent();
  });
}

function exitWhenSent(): void {
  if (exitCode !== undefined && unsent === 0) process.exit(exitCode);
}

function start({ resourceLimits }: ProcessLimits): Worker {
  const worker = new Worker(
    moduleUrl('runtime/worker/channel/part-worker.js', () => new URL('./part-worker.js', import.meta.url)),
    {
      name: 'blip2 parts',
      execArgv: moduleExecArgv(),
      workerData: { runGuard: createRunGuard() } satisfies PartWorkerData,
      ...(resourceLimits && { resourceLimits }),
    },
  );
  const fail = (error: unknown): void => send({ type: 'failed', got: lossOf(error).got, error: encodeError(error) });
  worker.on('message', send);
  worker.on('messageerror', fail);
  worker.on('error', fail);
  worker.on('exit', (code) => {
    exitCode = code;
    exitWhenSent();
  });
  return worker;
}

silenceTelemetry();
// The parent may have ended before this listener existed.
process.on('disconnect', killSelf);
if (!process.connected) killSelf();
// A terminal and a service manager signal all processes of a group: the parent decides when this one ends.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => undefined);

let worker: Worker | undefined;
process.on('message', (message: Request | Notice | ProcessLimits) => {
  if (message.type === 'limits') worker = start(message);
  else worker?.postMessage(message);
});
