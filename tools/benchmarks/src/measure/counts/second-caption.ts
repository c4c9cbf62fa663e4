import { readFileSync } from 'node:fs';
import { serialize } from 'node:v8';
import { Worker } from 'node:worker_threads';

import { Blip2 } from '@blip2/blip2';
import type { SessionFactory } from '@blip2/interfaces';
import { createSession } from '@blip2/runtime';

import { repositoryPath } from '../../repository.ts';

/** What the second caption of a model costs. */
export interface SecondCaption {
  readonly sessionsOpened: number;
  /** Bytes that system calls read, of an image of 1,434 bytes; undefined where the system does not count them. */
  readonly bytesRead: number | undefined;
  /** Page faults without a read from disk. They vary. */
  readonly pageFaults: number;
  /** Bytes of messages from the calling thread to the workers of the parts, and back. */
  readonly bytesToWorkers: number;
  readonly bytesFromWorkers: number;
}

const MODEL = repositoryPath('apps/cli/models/blip2-opt-shapes');
const IMAGE = repositoryPath('examples/left-of.png');

/** Counts of the second caption of the demo. Sessions, reads and page faults are those of the calling thread. */
export async function secondCaption(): Promise<SecondCaption> {
  return { ...(await onCallingThread()), ...(await betweenThreads()) };
}

async function onCallingThread(): Promise<Pick<SecondCaption, 'sessionsOpened' | 'bytesRead' | 'pageFaults'>> {
  let opened = 0;
  const noting: SessionFactory = (model, options) => {
    opened++;
    return createSession(model, options);
  };
  await using blip2 = await Blip2.fromPretrained(MODEL, { threads: 1, createSession: noting });
  await blip2.caption(IMAGE);
  const [before, faults, read] = [opened, process.resourceUsage().minorPageFault, bytesRead()];
  await blip2.caption(IMAGE);
  const after = bytesRead();
  return {
    sessionsOpened: opened - before,
    bytesRead: read === undefined || after === undefined ? undefined : after - read,
    pageFaults: process.resourceUsage().minorPageFault - faults,
  };
}

function bytesRead(): number | undefined {
  try {
    return Number(/^rchar: (\d+)$/m.exec(readFileSync('/proc/self/io', 'utf8'))?.[1]);
  } catch {
    return undefined;
  }
}

async function betweenThreads(): Promise<Pick<SecondCaption, 'bytesToWorkers' | 'bytesFromWorkers'>> {
  const sizes = { to: 0, from: 0 };
  const { postMessage, emit } = Worker.prototype;
  Worker.prototype.postMessage = function (this: Worker, ...args: Parameters<typeof postMessage>) {
    sizes.to += serialize(args[0]).length;
    postMessage.apply(this, args);
  };
  Worker.prototype.emit = function (this: Worker, name: string | symbol, ...args: unknown[]) {
    if (name === 'message') sizes.from += serialize(args[0]).length;
    return emit.call(this, name, ...args);
  } as typeof emit;
  try {
    await using blip2 = await Blip2.fromPretrained(MODEL, { threads: 1, isolate: 'worker' });
    await blip2.caption(IMAGE);
    const before = { ...sizes };
    await blip2.caption(IMAGE);
    return { bytesToWorkers: sizes.to - before.to, bytesFromWorkers: sizes.from - before.from };
  } finally {
    Object.assign(Worker.prototype, { postMessage, emit });
  }
}
