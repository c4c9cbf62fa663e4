import type { Decoding, Logits } from '@blip2/interfaces';

import { type BatchedDecoding, pickLogits, range } from './batched-decoding.ts';

/** One token per row of a decoding, which waits to be decoded. */
export interface PendingStep {
  readonly view: BatchedDecoding;
  readonly ids: readonly number[];
  /** Row `i` continues row `parents[i]` of the decoding. */
  readonly parents: readonly number[];
  resolve(logits: Logits): void;
  reject(error: unknown): void;
}

/** The rows that are decoded together. */
export interface RunningBatch {
  readonly rows: number;
  has(view: BatchedDecoding): boolean;
  /** Whether a member has no step among these. */
  isIncomplete(steps: readonly PendingStep[]): boolean;
  /** Decodes one token of every row. Members without a step leave. */
  step(steps: readonly PendingStep[]): Promise<void>;
  /** Gives a member a place of its own. */
  separate(view: BatchedDecoding): Promise<void>;
  remove(view: BatchedDecoding): Promise<void>;
  rowsOf(view: BatchedDecoding): number;
}

/** A row of the next step. */
interface Slot {
  readonly step: PendingStep;
  readonly index: number;
  /** The row of the batch that it continues. */
  readonly parent: number;
}

/** Creates an empty batch. The first member brings its decoding, to which the rows of others are appended. */
export function createRunningBatch(): RunningBatch {
  const members = new Set<BatchedDecoding>();
  let decoding: Decoding | undefined;
  let rows = 0;

  async function clear(): Promise<void> {
    const last = decoding;
    [decoding, rows] = [undefined, 0];
    members.clear();
    await last?.[Symbol.asyncDispose]();
  }

  async function separate(view: BatchedDecoding): Promise<void> {
    if (!decoding || !members.has(view)) return;
    members.delete(view);
    if (members.size > 0) {
      const own = await decoding.fork(view.place.rows);
      view.place = { decoding: own, rows: range(view.place.rows.length) };
    } else if (view.place.rows.length === rows) {
      // The last one takes the decoding with it.
      [decoding, rows] = [undefined, 0];
    } else {
      const own = await decoding.fork(view.place.rows);
      view.place = { decoding: own, rows: range(view.place.rows.length) };
      await clear();
    }
  }

  async function remove(view: BatchedDecoding): Promise<void> {
    if (!members.delete(view)) return view.place.decoding[Symbol.asyncDispose]();
    // Otherwise its rows are dropped by the next step.
    if (members.size === 0) await clear();
  }

  /** Members whose request does something else leave with their rows, so that they can go on later. */
  async function dismissOthers(steps: readonly PendingStep[]): Promise<void> {
    const views = new Set(steps.map(({ view }) => view));
    for (const member of [...members]) if (!views.has(member)) await separate(member);
    if (members.size === 0) await clear();
  }

  /** Adds a decoding to the batch, unless it is a member. One that cannot be added fails alone. */
  async function join({ view, reject }: PendingStep): Promise<boolean> {
    if (members.has(view)) return true;
    const { decoding: own, rows: ownRows } = view.place;
    if (!decoding) {
      [decoding, rows] = [own, ownRows.length];
      members.add(view);
      return true;
    }
    try {
      await decoding.append?.(own, ownRows);
    } catch (error) {
      reject(error);
      return false;
    }
    members.add(view);
    view.place = { decoding, rows: range(ownRows.length).map((row) => rows + row) };
    rows += ownRows.length;
    await own[Symbol.asyncDispose]();
    return true;
  }

  return {
    get rows() {
      return rows;
    },
    has: (view) => members.has(view),
    isIncomplete: (steps) => [...members].some((member) => !steps.some(({ view }) => view === member)),
    async step(pending) {
      let steps = pending;
      try {
        steps = refuse(pending, ({ view }) => view.expectAlive());
        await dismissOthers(steps);
        const joined = [];
        for (const step of steps) if (await join(step)) joined.push(step);
        steps = joined;
        if (steps.length === 0) return;
        const order = arrange(steps);
        const parents = order.map(({ parent }) => parent);
        const isUnchanged = parents.length === rows && parents.every((parent, row) => parent === row);
        const ids = order.map(({ step, index }) => [step.ids[index] ?? 0]);
        if (!decoding) return;
        const logits = await decoding.extend({ ids, ...(!isUnchanged && { parents }) });
        rows = order.length;
        deliver(steps, order, decoding, logits);
      } catch (error) {
        // The rows that shared the step are lost with it.
        for (const { reject } of steps) reject(error);
        await clear().catch(() => undefined);
      }
    },
    separate,
    remove,
    rowsOf: (view) => (members.has(view) ? rows : view.place.rows.length),
  };
}

/** The steps that pass a check. Others are rejected with its error. */
function refuse(steps: readonly PendingStep[], check: (step: PendingStep) => void): PendingStep[] {
  return steps.filter((step) => {
    try {
      check(step);
      return true;
    } catch (error) {
      step.reject(error);
      return false;
    }
  });
}

/** Assigns the rows of the next step so that few of them move: most stay where they are. */
function arrange(steps: readonly PendingStep[]): Slot[] {
  const slots = steps.flatMap((step) =>
    step.parents.map((parent, index): Slot => ({ step, index, parent: step.view.place.rows[parent] ?? 0 })),
  );
  const order = new Array<Slot | undefined>(slots.length).fill(undefined);
  const moved = slots.filter((slot) => {
    if (slot.parent >= order.length || order[slot.parent]) return true;
    order[slot.parent] = slot;
    return false;
  });
  return order.flatMap((slot) => slot ?? moved.shift() ?? []);
}

/** Passes the logits to the decodings whose rows they are. */
function deliver(steps: readonly PendingStep[], order: readonly Slot[], decoding: Decoding, logits: Logits): void {
  const rowOf = new Map(order.map(({ step, index }, row) => [`${steps.indexOf(step)},${index}`, row]));
  for (const [number, { view, ids, resolve }] of steps.entries()) {
    const rows = ids.map((_, index) => rowOf.get(`${number},${index}`) ?? 0);
    view.place = { decoding, rows };
    resolve(pickLogits(logits, rows));
  }
}
