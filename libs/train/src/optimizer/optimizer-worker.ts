/**
 * Entry point of the thread of the optimizer. It holds the moments, and writes states while the next gradients are
 * computed.
 */
import { parentPort, workerData } from 'node:worker_threads';

import { Blip2Error, messageOf } from '@blip2/interfaces';

import { createStateSlots, type StateTensor, type StateValues } from '../run/state-slots.ts';
import { adamW, gradientNorm, isDecayed, type Moments } from './adam-w.ts';
import type {
  OptimizerData,
  OptimizerReply,
  OptimizerRequest,
  SaveRequest,
  UpdateRequest,
} from './optimizer-messages.ts';

const { tensors, settings, moments: given, folder, nextSlot } = workerData as OptimizerData;
const moments: readonly Moments[] = tensors.map(({ dims }, index) => {
  const size = dims.reduce((product, axis) => product * axis, 1);
  return given?.[index] ?? { first: new Float32Array(size), second: new Float32Array(size) };
});
const slots = createStateSlots(folder, nextSlot);
/** Moments must not change while they are written. */
let saving: Promise<void> = Promise.resolve();
const queue: OptimizerRequest[] = [];
let isBusy = false;

parentPort?.on('message', (request: OptimizerRequest) => {
  queue.push(request);
  if (!isBusy) void work();
});

async function work(): Promise<void> {
  isBusy = true;
  for (let request = queue.shift(); request; request = queue.shift()) {
    await saving;
    if (request.kind === 'update') update(request);
    else if (request.kind === 'end') reply({ kind: 'ended' });
    else await save(request);
  }
  isBusy = false;
}

function update({ weights, gradients, learningRate, step, save: values }: UpdateRequest): void {
  const norm = gradientNorm(gradients);
  if (Number.isFinite(norm)) {
    const scale = Math.min(1, settings.maxNorm / (norm + 1e-6));
    for (const [index, { name, dims }] of tensors.entries()) {
      const [data, gradient, own] = [weights[index], gradients[index], moments[index]];
      if (!data || !gradient || !own) continue;
      adamW(data, gradient, own, { ...settings, learningRate, scale, step, isDecayed: isDecayed(name, dims) });
    }
    if (values) saving = saveInBackground(values, weights);
  }
  reply(
    { kind: 'updated', weights, norm },
    weights.map(({ buffer }) => buffer as ArrayBuffer),
  );
}

/** The weights go back to the caller at once, so that a copy is saved. */
async function saveInBackground(values: StateValues, weights: readonly Float32Array[]): Promise<void> {
  const copies = weights.map((data) => data.slice());
  await slots.save(values, stateTensors(copies)).catch((error: unknown) => reply(failed('background', error)));
}

async function save({ values, weights }: SaveRequest): Promise<void> {
  const saved = slots.save(values, stateTensors(weights)).then(
    (): OptimizerReply => ({ kind: 'saved' }),
    (error: unknown) => failed('failed', error),
  );
  reply(await saved);
}

function failed(kind: 'failed' | 'background', error: unknown): OptimizerReply {
  return { kind, code: error instanceof Blip2Error ? error.code : 'WRITE_FAILED', message: messageOf(error) };
}

function stateTensors(weights: readonly Float32Array[]): StateTensor[] {
  return tensors.flatMap(({ name, dims }, index) => {
    const [data, own] = [weights[index], moments[index]];
    if (!data || !own) return [];
    return [
      { name, dims, data },
      { name: `first.${name}`, dims, data: own.first },
      { name: `second.${name}`, dims, data: own.second },
    ];
  });
}

function reply(message: OptimizerReply, transferred: ArrayBuffer[] = []): void {
  parentPort?.postMessage(message, transferred);
}
