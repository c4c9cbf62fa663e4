import { type ResourceLimits, Worker } from 'node:worker_threads';

import { moduleExecArgv, moduleUrl } from '@blip2/files';

import { silenceTelemetry } from '../../onnxruntime/silence-telemetry.ts';
import { createRunGuard, guardExit } from '../exit-guard.ts';
import { lossOf, type OpenChannel } from './part-channel.ts';
import type { PartWorkerData } from './part-worker.ts';

/** Starts a thread for parts, with limits of its JavaScript heap. */
export function threadChannel(resourceLimits: ResourceLimits | undefined): OpenChannel {
  return ({ onMessage, onError, onExit }) => {
    silenceTelemetry();
    const runGuard = createRunGuard();
    // `.js` is the built file. When tests run from source, their loader resolves it to the `.ts` file next to it.
    const worker = new Worker(
      moduleUrl('runtime/worker/channel/part-worker.js', () => new URL('./part-worker.js', import.meta.url)),
      {
        name: 'blip2 parts',
        execArgv: moduleExecArgv(),
        workerData: { runGuard } satisfies PartWorkerData,
        ...(resourceLimits && { resourceLimits }),
      },
    );
    const removeGuard = guardExit(runGuard);
    worker.on('message', onMessage);
    worker.on('messageerror', (error) => onError({ ...lossOf(error), got: `an unreadable message: ${error.message}` }));
    worker.on('error', (error: unknown) => onError(lossOf(error)));
    worker.on('exit', (code) => {
      removeGuard();
      onExit({ got: `its exit with code ${code}` });
    });
    return {
      post: (message) => worker.postMessage(message),
      setReferenced(isReferenced) {
        if (isReferenced) worker.ref();
        else worker.unref();
      },
      kill: () => worker.postMessage({ type: 'end' }),
    };
  };
}
