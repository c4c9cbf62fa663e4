import { Blip2Error } from '@blip2/interfaces';
import { asyncProperty, check } from 'fast-check';

import type { Outcome, Target } from './target.ts';

export interface RunOptions {
  /** Number of cases. */
  readonly cases: number;
  /** Seed of the cases; the same seed repeats a run. */
  readonly seed: number;
}

export interface TargetResult {
  readonly target: string;
  readonly promise: string;
  readonly cases: number;
  readonly seed: number;
  /** Cases by outcome: `accepted`, or the code of the error. */
  readonly outcomes: Readonly<Record<string, number>>;
  /** Processor time of the slowest case in milliseconds. */
  readonly slowestMs: number;
  /**
   * Growth of the least resident memory from the first to the second half of the run, in MiB. What one case takes for a
   * while, such as the pixels of a large image that the allocator keeps, does not count; what is never freed does.
   */
  readonly grownMiB: number;
  /** The smallest case that broke the promise and what it threw, or `undefined`. */
  readonly broken: string | undefined;
}

/** Most characters of a broken case that a report shows. */
const MAX_SHOWN = 20_000;
const MIB = 2 ** 20;

/** Runs cases against a target until all have run or one breaks the promise, which is then made smaller. */
export async function runTarget(target: Target<unknown>, { cases, seed }: RunOptions): Promise<TargetResult> {
  const open = await target.open();
  const outcomes = new Map<Outcome, number>();
  const memory = memoryFloors(cases);
  let slowest = 0;
  const property = asyncProperty(open.cases, async (input) => {
    const begun = process.cpuUsage();
    const outcome = await outcomeOf(() => open.run(input));
    const { user, system } = process.cpuUsage(begun);
    slowest = Math.max(slowest, (user + system) / 1e3);
    outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
    memory.look();
  });
  try {
    const { failed, counterexample, errorInstance } = await check(property, { numRuns: cases, seed });
    return {
      target: target.name,
      promise: target.promise,
      cases,
      seed,
      outcomes: Object.fromEntries([...outcomes].toSorted(([, one], [, other]) => other - one)),
      slowestMs: Math.round(slowest * 10) / 10,
      grownMiB: memory.grownMiB(),
      broken: failed ? `${shown(counterexample?.[0])}\n${thrown(errorInstance)}` : undefined,
    };
  } finally {
    await open[Symbol.asyncDispose]?.();
  }
}

/** Share of a run, at its start, in which modules and caches are still being loaded. */
const WARM_UP = 0.1;
/** Number of looks at the memory. */
const LOOKS = 200;

/** The least resident memory of each half of a run, after its warm-up. */
function memoryFloors(cases: number): { look(): void; grownMiB(): number } {
  const floors: [number, number] = [Infinity, Infinity];
  const interval = Math.max(1, Math.floor(cases / LOOKS));
  let run = 0;
  return {
    look() {
      if (++run % interval !== 0 || run < WARM_UP * cases) return;
      const half = run < (cases * (1 + WARM_UP)) / 2 ? 0 : 1;
      floors[half] = Math.min(floors[half], process.memoryUsage.rss());
    },
    grownMiB() {
      const grown = (floors[1] - floors[0]) / MIB;
      return Number.isFinite(grown) ? Math.max(0, Math.round(grown)) : 0;
    },
  };
}

async function outcomeOf(run: () => Promise<void> | void): Promise<Outcome> {
  try {
    await run();
    return 'accepted';
  } catch (error) {
    if (error instanceof Blip2Error) return error.code;
    throw error;
  }
}

function shown(input: unknown): string {
  const text = input instanceof Uint8Array ? Buffer.from(input).toString('base64') : JSON.stringify(input);
  return (text ?? String(input)).slice(0, MAX_SHOWN);
}

function thrown(error: unknown): string {
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}
