import { fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { ResourceLimits } from 'node:worker_threads';

import { moduleExecArgv, moduleUrl } from '@blip2/files';

import { SILENT_TELEMETRY } from '../../onnxruntime/silence-telemetry.ts';
import { decodeError, type ErrorData } from '../error-transfer.ts';
import type { Notice, Reply, Report, Request } from '../part-messages.ts';
import { type ChannelLoss, lossOf, type OpenChannel } from './part-channel.ts';

/**
 * Starts a child process for parts, with limits of the JavaScript heap of their thread. It ends together with this
 * process, also during a run. Its output is that of this process.
 */
export function processChannel(resourceLimits: ResourceLimits | undefined): OpenChannel {
  return ({ onMessage, onError, onExit }) => {
    // `.js` is the built file. When tests run from source, their loader resolves it to the `.ts` file next to it.
    const child = fork(
      fileURLToPath(
        moduleUrl('runtime/worker/channel/part-process.js', () => new URL('./part-process.js', import.meta.url)),
      ),
      {
        // Data that JSON cannot represent, typed arrays above all.
        serialization: 'advanced',
        execArgv: moduleExecArgv(),
        env: { ...SILENT_TELEMETRY, ...process.env },
        stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
      },
    );
    let hasEnded = false;
    const end = (loss: ChannelLoss): void => {
      if (hasEnded) return;
      hasEnded = true;
      onExit(loss);
    };
    child.on('message', (message: Reply | Report | ProcessFailure) => {
      if (message.type === 'failed') onError({ got: message.got, cause: decodeError(message.error) });
      else onMessage(message);
    });
    // The process could not be started, or a message could not be sent to it.
    child.on('error', (error) => {
      onError(lossOf(error));
      if (child.pid === undefined) end(lossOf(error));
    });
    child.on('exit', (code, signal) => {
      const loss = signal ? { got: `its end by ${signal}`, signal } : { got: `its exit with code ${code}` };
      // Messages sent before the end may still have to be read.
      if (child.connected) child.once('disconnect', () => end(loss));
      else end(loss);
    });
    post(child, { type: 'limits', resourceLimits });
    return {
      post: (message) => post(child, message),
      setReferenced(isReferenced) {
        if (isReferenced) child.ref();
        else child.unref();
        if (isReferenced) child.channel?.ref();
        else child.channel?.unref();
      },
      kill: () => void child.kill('SIGKILL'),
    };
  };
}

/** An error of the thread in a child process, which ends next. */
export interface ProcessFailure {
  readonly type: 'failed';
  readonly got: string;
  readonly error: ErrorData;
}

/** The first message to a process. */
export interface ProcessLimits {
  readonly type: 'limits';
  readonly resourceLimits: ResourceLimits | undefined;
}

function post(child: ReturnType<typeof fork>, message: Request | Notice | ProcessLimits): void {
  // The exit of the process reports a failure.
  child.send(message, () => undefined);
}
