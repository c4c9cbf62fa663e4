import { Worker } from 'node:worker_threads';

import { moduleExecArgv, moduleUrl } from '@blip2/files';
import { Blip2Error, messageOf } from '@blip2/interfaces';

import type { StateValues } from '../run/state-slots.ts';
import type { OptimizerData, OptimizerReply, OptimizerRequest } from './optimizer-messages.ts';

/** An update, as it was requested. */
export interface RequestedUpdate {
  /** The weights and gradients, in the order of the tensors. Their memory moves to the optimizer. */
  readonly weights: readonly Float32Array[];
  readonly gradients: readonly Float32Array[];
  readonly learningRate: number;
  /** Number of this step, from 1. */
  readonly step: number;
  /** What to save with the state after the step; absent: it is not saved. */
  readonly save?: StateValues | undefined;
}

/** The optimizer, in a thread of its own. */
export interface Optimizer extends AsyncDisposable {
  /** Makes one step, and returns the weights and the norm of the gradients. A norm that is not finite: no step. */
  update(request: RequestedUpdate): Promise<{ readonly weights: readonly Float32Array[]; readonly norm: number }>;
  /**
   * Saves the state.
   * @throws Blip2Error `WRITE_FAILED`, also of an earlier save in the background.
   */
  save(values: StateValues, weights: readonly Float32Array[]): Promise<void>;
  /** The error of a save in the background, if one failed. */
  readonly failure: Blip2Error | undefined;
}

/** Starts the thread of an optimizer. */
export function startOptimizer(data: OptimizerData): Optimizer {
  const worker = new Worker(
    moduleUrl('train/optimizer/optimizer-worker.js', () => new URL('./optimizer-worker.js', import.meta.url)),
    { name: 'blip2 optimizer', execArgv: moduleExecArgv(), workerData: data },
  );
  /** Requests are answered in their order. */
  const waiting: ((reply: OptimizerReply | Blip2Error) => void)[] = [];
  let failure: Blip2Error | undefined;
  worker.on('message', (reply: OptimizerReply) => {
    const isFailure = reply.kind === 'failed' || reply.kind === 'background';
    const answer = isFailure ? new Blip2Error(reply.code, reply.message) : reply;
    if (reply.kind !== 'background') waiting.shift()?.(answer);
    else if (answer instanceof Blip2Error) failure ??= answer;
  });
  const end = (cause: unknown): void => {
    const error = new Blip2Error('WORKER_FAILED', 'The thread of the optimizer has ended', {
      got: messageOf(cause),
      fix: 'Resume the run',
    });
    for (const settle of waiting.splice(0)) settle(error);
    failure ??= error;
  };
  let isDisposed = false;
  worker.on('error', end);
  worker.on('exit', (code) => {
    if (!isDisposed) end(`exit code ${code}`);
  });
  worker.unref();
  const request = (message: OptimizerRequest, moved: readonly Float32Array[] = []): Promise<OptimizerReply> =>
    new Promise((resolve, reject) => {
      waiting.push((reply) => {
        worker.unref();
        if (reply instanceof Blip2Error) reject(reply);
        else resolve(reply);
      });
      worker.ref();
      worker.postMessage(
        message,
        moved.map(({ buffer }) => buffer as ArrayBuffer),
      );
    });
  return {
    get failure() {
      return failure;
    },
    async update({ save, ...rest }) {
      const weights = rest.weights.map(ownMemory);
      const gradients = rest.gradients.map(ownMemory);
      const reply = await request({ kind: 'update', ...rest, weights, gradients, save }, [...weights, ...gradients]);
      return reply.kind === 'updated' ? reply : { weights, norm: Number.NaN };
    },
    async save(values, weights) {
      await request({ kind: 'save', values, weights });
    },
    async [Symbol.asyncDispose]() {
      await request({ kind: 'end' }).catch(() => undefined);
      isDisposed = true;
      await worker.terminate();
    },
  };
}

/** An array that is alone in its memory, so that it can be transferred. */
function ownMemory(data: Float32Array): Float32Array {
  return data.byteLength === data.buffer.byteLength ? data : data.slice();
}
