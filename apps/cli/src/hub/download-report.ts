import type { DownloadPlan } from '@blip2/hub';
import type { LoadProgress } from '@blip2/interfaces';

import type { Environment } from '../environment.ts';
import { byteSize } from './byte-size.ts';
import { planSummary } from './plan-summary.ts';

/**
 * What stderr hears of a download: sizes and licence before, and on a terminal how far it is; also how far the
 * conversion to another precision is.
 */
export interface DownloadReport {
  readonly onPlan: (plan: DownloadPlan) => void;
  readonly onProgress: (progress: LoadProgress) => void;
  /** Takes the last line away, so that another can be written. */
  clear(): void;
}

export interface ReportSettings {
  readonly quiet: boolean;
  readonly progress: boolean;
}

type ReportEnvironment = Pick<Environment, 'stderr' | 'variables'>;

const CLEAR_LINE = '\r\u001b[K';
/** Milliseconds between two lines. */
const INTERVAL = 100;
/** The rate is that of the last so many ms. */
const RATE_WINDOW = 5000;
const DEFAULT_COLUMNS = 80;

export function createDownloadReport(
  { stderr, variables }: ReportEnvironment,
  { quiet, progress }: ReportSettings,
  now: () => number = () => performance.now(),
): DownloadReport {
  const isTerminal =
    stderr.isTTY === true &&
    !variables['CI'] &&
    variables['TERM'] !== 'dumb' &&
    !/^(?:1|on|yes|true)$/i.test(variables['HF_HUB_DISABLE_PROGRESS_BARS'] ?? '');
  const shows = isTerminal && progress && !quiet;
  const loaded = new Map<string, number>();
  let [total, here, shownAt] = [0, 0, -Infinity];
  let history: { at: number; bytes: number }[] = [];
  const showConversion = ({ loaded: bytes, total: all }: LoadProgress): void => {
    const at = now();
    if (!shows || (at - shownAt < INTERVAL && bytes < all)) return;
    shownAt = at;
    stderr.write(`${CLEAR_LINE}converting weights, once: ${Math.floor((100 * bytes) / all)} %`);
  };
  return {
    onPlan(plan) {
      total = plan.totalBytes;
      for (const { path, size, cached } of plan.files) if (cached) loaded.set(path, size);
      here = plan.totalBytes - plan.missingBytes;
      if (!quiet) stderr.write(planSummary(plan));
    },
    onProgress(each) {
      if (each.stage === 'convert') return showConversion(each);
      here += each.loaded - (loaded.get(each.file) ?? 0);
      loaded.set(each.file, each.loaded);
      const at = now();
      if (!shows || total === 0 || (at - shownAt < INTERVAL && here < total)) return;
      shownAt = at;
      history = [...history.filter((entry) => at - entry.at < RATE_WINDOW), { at, bytes: here }];
      stderr.write(CLEAR_LINE + progressLine(here, total, history).slice(0, columnsOf(stderr) - 1));
    },
    clear() {
      if (shows && shownAt > -Infinity) stderr.write(CLEAR_LINE);
    },
  };
}

function progressLine(here: number, total: number, history: readonly { at: number; bytes: number }[]): string {
  const [first, last] = [history[0], history.at(-1)];
  const seconds = first && last ? (last.at - first.at) / 1000 : 0;
  const rate = first && last && seconds > 0 ? (last.bytes - first.bytes) / seconds : 0;
  const pace = rate > 0 ? `, ${byteSize(rate)}/s, ${duration((total - here) / rate)} left` : '';
  return `${Math.floor((100 * here) / total)} %, ${byteSize(here)} of ${byteSize(total)}${pace}`;
}

function duration(seconds: number): string {
  if (seconds < 60) return `${Math.ceil(seconds)} s`;
  return seconds < 3600
    ? `${Math.ceil(seconds / 60)} min`
    : `${Math.floor(seconds / 3600)} h ${Math.ceil((seconds % 3600) / 60)} min`;
}

function columnsOf(stderr: ReportEnvironment['stderr']): number {
  return 'columns' in stderr && typeof stderr.columns === 'number' && stderr.columns > 0
    ? stderr.columns
    : DEFAULT_COLUMNS;
}
