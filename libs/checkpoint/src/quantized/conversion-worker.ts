/** Entry point of a thread that converts weights. Receives tasks one at a time and replies to each. */
import { parentPort, workerData } from 'node:worker_threads';

import { Blip2Error, messageOf } from '@blip2/interfaces';

import type { ConversionReply, ConversionWorkerData } from './conversion-pool.ts';
import { type ConversionTask, convertRows } from './convert-rows.ts';

const { target } = workerData as ConversionWorkerData;

parentPort?.on('message', (task: ConversionTask) => {
  parentPort?.postMessage(runTask(task));
});

function runTask(task: ConversionTask): ConversionReply {
  try {
    convertRows(task, target);
    return { done: true };
  } catch (error) {
    return {
      done: false,
      code: error instanceof Blip2Error ? error.code : 'WRITE_FAILED',
      message: messageOf(error),
    };
  }
}
