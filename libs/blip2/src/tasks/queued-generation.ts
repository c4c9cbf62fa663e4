import { unlessAborted } from '@blip2/interfaces';

import type { CallQueue, QueuedCall, QueueTurn } from '../lifetime/call-queue.ts';
import { DisposalStack } from '../lifetime/disposal-stack.ts';
import type { StartGeneration } from './task-generation.ts';

/**
 * A generation that takes its turn at the model when it starts; `start` gets the function that waits for it. An abort
 * while it starts rejects at once, and what has been opened is disposed of when that stage has ended.
 */
export function queuedGeneration(
  queue: CallQueue,
  call: QueuedCall,
  start: (enter: QueueTurn['enter']) => StartGeneration,
): StartGeneration {
  return async (resources) => {
    call.signal?.throwIfAborted();
    const turn = queue.admit(call);
    const own = new DisposalStack();
    own.defer(turn.leave);
    const starting = start(turn.enter)(own);
    try {
      const started = await unlessAborted(starting, call.signal);
      resources.use(own);
      return { ...started, turn };
    } catch (error) {
      const closed = starting.then(ignore, ignore).then(() => own[Symbol.asyncDispose]());
      if (!call.signal?.aborted) await closed;
      else closed.catch(ignore);
      throw error;
    }
  };
}

const ignore = (): void => undefined;
