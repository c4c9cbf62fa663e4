import { Blip2Error, mustBe, onAbort, unlessAborted } from '@blip2/interfaces';

import { type BatchingOptions, batchingSettings } from '../batching/batching-options.ts';
import { createIdleTimer } from './idle-timer.ts';

/** Limits the calls of a model that wait. */
export interface QueueOptions {
  /**
   * How many calls may wait for the model while others run; a list in one call counts as one. Further calls fail with
   * `QUEUE_FULL`. Default: 512.
   */
  readonly maxWaiting?: number;
  /**
   * Share the work of concurrent calls: their texts are decoded together, their images are encoded together, and
   * with `imageCacheBytes` an image that was seen before is not encoded again. Each has the tokens that it has alone.
   * For the tasks of `Blip2` and `InstructBlip`; other models ignore it. Default: false, two calls run at the same time
   * without sharing work.
   */
  readonly batching?: boolean | BatchingOptions;
}

/** A call, as the queue distinguishes them. */
export interface QueuedCall {
  /** Whether the call has a list of inputs, which may take long. Default: false. */
  readonly isList?: boolean;
  readonly signal?: AbortSignal | undefined;
}

/** The turn of one call at the model. */
export interface QueueTurn {
  /**
   * Waits until the model is free. Called before each stage that uses it; only the first call waits.
   * @throws the reason of the signal.
   */
  enter(): Promise<void>;
  /** The call does not use the model until `resume`, such as a stream whose reader takes its time. */
  pause(): void;
  /** Never waits: a reader of two streams would otherwise wait for itself. */
  resume(): void;
  /** Ends the call. */
  leave(): void;
}

/** The calls of one model. Single calls and lists take turns separately, so that a long list delays no single call. */
export interface CallQueue {
  /** @throws Blip2Error `QUEUE_FULL` if too many calls are waiting. */
  admit(call?: QueuedCall): QueueTurn;
  /**
   * Runs a call, which awaits `enter` before it uses the model. An abort rejects at once; the turn ends when the work
   * has.
   * @throws Blip2Error `QUEUE_FULL`; the reason of the signal; the errors of the work.
   */
  run<T>(call: QueuedCall, work: (enter: QueueTurn['enter']) => Promise<T>): Promise<T>;
  /**
   * Runs work that no call may overlap, after those in progress. Calls that are paused do not count.
   * @throws Blip2Error `QUEUE_FULL`; the errors of the work.
   */
  exclusively<T>(work: () => Promise<T>): Promise<T>;
  /**
   * Queues every call of a function that uses the model from its start. A `signal` among its options aborts it.
   * @param expectArguments Checks the arguments before the call is admitted.
   */
  wrap<Args extends readonly unknown[], T>(
    work: (...args: Args) => Promise<T>,
    expectArguments?: (...args: Args) => void,
  ): (...args: Args) => Promise<T>;
  /** Calls `action` whenever a call has ended and no other one has followed for a second. */
  whenIdle(action: () => void): void;
}

const DEFAULT_MAX_WAITING = 512;
/** Calls that use the model at the same time: while one generates, the images of another one can be encoded. */
const RUNNING_CALLS = 2;
/** A list keeps the model busy by itself. */
const RUNNING_LISTS = 1;
/** Time in milliseconds without `resume` after which a paused call gives its place to another one. */
const PAUSE_MS = 100;

/** Calls of one kind. */
interface Lane {
  readonly places: number;
  /** Calls that hold a place; more than `places` after a paused call has resumed. */
  running: number;
  /** Calls that have been admitted and have not ended. */
  admitted: number;
  /** Calls that wait for a place, in order. */
  readonly waiting: Set<() => void>;
}

/**
 * Creates the queue of a model.
 * @throws Blip2Error `INVALID_ARGUMENT` for an invalid `maxWaiting` or `batching`.
 */
export function createCallQueue({ maxWaiting = DEFAULT_MAX_WAITING, batching }: QueueOptions = {}): CallQueue {
  expectMaxWaiting(maxWaiting);
  const places = batchingSettings(batching)?.maxRows ?? RUNNING_CALLS;
  const calls: Lane = { places, running: 0, admitted: 0, waiting: new Set() };
  const lists: Lane = { places: RUNNING_LISTS, running: 0, admitted: 0, waiting: new Set() };
  const idle = createIdleTimer();
  const waitingCalls = (): number =>
    [calls, lists].reduce((sum, { admitted, places }) => sum + Math.max(0, admitted - places), 0);

  function admit({ isList = false, signal }: QueuedCall = {}): QueueTurn {
    const lane = isList ? lists : calls;
    if (lane.admitted >= lane.places && waitingCalls() >= maxWaiting) throw queueFull(maxWaiting);
    idle.stop();
    return createTurn(lane, signal, () => {
      if (calls.admitted + lists.admitted === 0) idle.start();
    });
  }
  const run: CallQueue['run'] = async (call, work) => {
    call.signal?.throwIfAborted();
    const turn = admit(call);
    return unlessAborted(work(turn.enter).finally(turn.leave), call.signal);
  };
  let exclusive: Promise<unknown> = Promise.resolve();
  const exclusively = async <T>(work: () => Promise<T>): Promise<T> => {
    const turns = [calls, lists].flatMap((lane) =>
      Array.from({ length: lane.places }, () => admit({ isList: lane === lists })),
    );
    try {
      for (const turn of turns) await turn.enter();
      return await work();
    } finally {
      for (const turn of turns) turn.leave();
    }
  };
  return {
    admit,
    run,
    whenIdle: idle.whenIdle,
    exclusively: (work) => {
      // One after another: two at the same time would wait for each other's places.
      const result = exclusive.then(() => exclusively(work));
      exclusive = result.catch(() => undefined);
      return result;
    },
    wrap:
      (work, expectArguments) =>
      async (...args) => {
        expectArguments?.(...args);
        return run({ signal: signalOf(args) }, async (enter) => {
          await enter();
          return work(...args);
        });
      },
  };
}

function signalOf(args: readonly unknown[]): AbortSignal | undefined {
  return args
    .map((value): unknown =>
      typeof value === 'object' && value !== null && 'signal' in value ? value.signal : undefined,
    )
    .find((value) => value instanceof AbortSignal);
}

/** @throws Blip2Error `INVALID_ARGUMENT`. */
export function expectMaxWaiting(maxWaiting: number): void {
  if (!Number.isInteger(maxWaiting) || maxWaiting < 0)
    throw mustBe('maxWaiting', 'an integer of at least 0', maxWaiting);
}

function createTurn(lane: Lane, signal: AbortSignal | undefined, onLeave: () => void): QueueTurn {
  let entered: Promise<void> | undefined;
  let isRunning = false;
  let hasLeft = false;
  let timer: NodeJS.Timeout | undefined;
  lane.admitted++;

  const takePlace = (): void => {
    lane.running++;
    isRunning = true;
  };
  const givePlace = (): void => {
    if (!isRunning) return;
    isRunning = false;
    lane.running--;
    startNext(lane);
  };
  const waitForPlace = (): Promise<void> =>
    new Promise((resolve, reject) => {
      const start = (): void => {
        lane.waiting.delete(start);
        stop();
        takePlace();
        resolve();
      };
      const abort = (): void => {
        lane.waiting.delete(start);
        reject(signal?.reason as Error);
      };
      const stop = onAbort(signal, abort);
      lane.waiting.add(start);
      startNext(lane);
    });

  return {
    async enter() {
      signal?.throwIfAborted();
      entered ??= waitForPlace();
      await entered;
    },
    pause() {
      clearTimeout(timer);
      timer = setTimeout(givePlace, PAUSE_MS);
      // A reader that is gone for good must not keep the process alive.
      timer.unref();
    },
    resume() {
      clearTimeout(timer);
      if (entered && !isRunning && !hasLeft) takePlace();
    },
    leave() {
      clearTimeout(timer);
      if (hasLeft) return;
      hasLeft = true;
      lane.admitted--;
      givePlace();
      onLeave();
    },
  };
}

function startNext(lane: Lane): void {
  const [start] = lane.waiting;
  if (start && lane.running < lane.places) start();
}

function queueFull(maxWaiting: number): Blip2Error {
  return new Blip2Error('QUEUE_FULL', 'Too many calls are waiting for this model', {
    expected: `at most ${maxWaiting}`,
    fix: 'Call it again later, pass several inputs in one call, or set maxWaiting',
  });
}
