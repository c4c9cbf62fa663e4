import type { Environment } from '../environment.ts';
import { type Moment, paceOf } from './pace.ts';

/** A count on the last line of a terminal, with rate and remaining time once there is one. Silent anywhere else. */
export interface Progress {
  show(done: number, total: number): void;
  /** Takes the count away, so that a line can be written. */
  clear(): void;
}

const CLEAR_LINE = '\r\u001b[K';
const silent: Progress = { show: () => {}, clear: () => {} };
/** Of a terminal that does not say how wide it is; some say 0. */
const DEFAULT_COLUMNS = 80;

export function createProgress(
  { stderr, variables }: Pick<Environment, 'stderr' | 'variables'>,
  wanted: boolean,
  now: () => number = () => performance.now(),
): Progress {
  const terminal = stderr.isTTY === true && !variables['CI'] && variables['TERM'] !== 'dumb';
  if (!wanted || !terminal) return silent;
  const moments: Moment[] = [];
  return {
    show(done, total) {
      moments.push({ done, at: now() });
      // A full last column would wrap, and the wrapped line would stay.
      stderr.write(CLEAR_LINE + progressLine(done, total, paceOf(moments), (stderr.columns || DEFAULT_COLUMNS) - 1));
    },
    clear: () => void stderr.write(CLEAR_LINE),
  };
}

/** As much as fits: what matters least goes first. */
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

/** In the two largest units: what is left of hours is not known to the second. */
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
