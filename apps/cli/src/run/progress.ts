import type { Environment } from '../environment.ts';
import { canShowProgress, CLEAR_LINE, lineWidth } from '../output/terminal.ts';

/** A counter on the last line of a terminal, with rate and remaining time once they are known. Silent elsewhere. */
export interface Progress {
  show(done: number, total: number): void;
  /** Clears the counter, so that a line can be written. */
  clear(): void;
}

const SILENT: Progress = { show: () => {}, clear: () => {} };

export function createProgress(
  { stderr, variables }: Pick<Environment, 'stderr' | 'variables'>,
  wanted: boolean,
  now: () => number = () => performance.now(),
): Progress {
  if (!wanted || !canShowProgress({ stderr, variables })) return SILENT;
  const moments: Moment[] = [];
  return {
    show(done, total) {
      moments.push({ done, at: now() });
      stderr.write(CLEAR_LINE + progressLine(done, total, paceOf(moments), lineWidth(stderr)));
    },
    clear: () => void stderr.write(CLEAR_LINE),
  };
}

/** The longest line that fits: the least important fields are dropped first. */
function progressLine(done: number, total: number, perSecond: number | undefined, width: number): string {
  const count = `${done}/${total}`;
  const lines =
    perSecond === undefined
      ? []
      : [
          `${count} images, ${rateText(perSecond)}, ${durationText((total - done) / perSecond)} left`,
          `${count}, ${rateText(perSecond)}, ${durationText((total - done) / perSecond)} left`,
          `${count}, ${durationText((total - done) / perSecond)} left`,
        ];
  return [...lines, `${count} images`, count].find((line) => line.length <= width) ?? '';
}

function rateText(perSecond: number): string {
  return perSecond >= 1 ? `${perSecond.toFixed(perSecond < 10 ? 1 : 0)}/s` : `${(perSecond * 60).toFixed(1)}/min`;
}

/** Formats a duration in its two largest units. */
function durationText(seconds: number): string {
  const whole = Math.ceil(seconds);
  const [days, hours, minutes] = [
    Math.floor(whole / 86_400),
    Math.floor(whole / 3600) % 24,
    Math.floor(whole / 60) % 60,
  ];
  if (days > 0) return `${days} d ${hours} h`;
  if (hours > 0) return `${hours} h ${minutes} min`;
  return minutes > 0 ? `${minutes} min ${whole % 60} s` : `${whole} s`;
}

/** Number of images that were done at a time in milliseconds. */
export interface Moment {
  readonly done: number;
  readonly at: number;
}

/**
 * Milliseconds over which the rate is averaged: long enough for large batches, short enough to forget the slow first
 * batch, which reads the weights.
 */
const WINDOW = 60_000;
/** Minimum number of moments in the window, however long they took. */
const FEWEST = 3;

/** Images per second within the window; `undefined` if unknown. Removes moments that are too old. */
export function paceOf(moments: Moment[]): number | undefined {
  const last = moments.at(-1);
  if (!last) return undefined;
  while (moments.length > FEWEST && last.at - (moments[1]?.at ?? last.at) > WINDOW) moments.shift();
  const [first] = moments;
  if (!first || last.done <= first.done || last.at <= first.at) return undefined;
  return ((last.done - first.done) / (last.at - first.at)) * 1000;
}
