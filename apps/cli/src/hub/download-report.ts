import type { DownloadPlan } from '@blip2/hub';
import type { LoadProgress } from '@blip2/interfaces';

import type { Environment } from '../environment.ts';
import { byteSize } from '../output/display-text.ts';
import { canShowProgress, CLEAR_LINE, lineWidth } from '../output/terminal.ts';

/**
 * Reports a download on stderr: sizes and licence in advance, then, on a terminal, the progress. Also reports the
 * progress of converting and exporting weights.
 */
export interface DownloadReport {
  readonly onPlan: (plan: DownloadPlan) => void;
  readonly onProgress: (progress: LoadProgress) => void;
  /** Clears the progress line, so that another line can be written. */
  clear(): void;
}

export interface ReportSettings {
  readonly quiet: boolean;
  readonly progress: boolean;
}

/** Milliseconds between two updates. */
const INTERVAL = 100;
/** Milliseconds over which the rate is averaged. */
const RATE_WINDOW = 5000;

/** Creates the report of one command. Loads what it needs of the library on use: `--help` imports this file too. */
export async function createDownloadReport(
  { stderr, variables }: Pick<Environment, 'stderr' | 'variables'>,
  { quiet, progress }: ReportSettings,
  now: () => number = () => performance.now(),
): Promise<DownloadReport> {
  const { planSummary } = await import('./plan-summary.ts');
  const isDisabled = /^(?:1|on|yes|true)$/i.test(variables['HF_HUB_DISABLE_PROGRESS_BARS'] ?? '');
  const shows = canShowProgress({ stderr, variables }) && !isDisabled && progress && !quiet;
  const loaded = new Map<string, number>();
  let [total, done, shownAt] = [0, 0, -Infinity];
  let history: { at: number; bytes: number }[] = [];
  const showFile = (what: string, { loaded: bytes, total: all }: LoadProgress): void => {
    const at = now();
    if (!shows || (at - shownAt < INTERVAL && bytes < all)) return;
    shownAt = at;
    stderr.write(`${CLEAR_LINE}${what}: ${Math.floor((100 * bytes) / all)} %`);
  };
  // Parts, and the two forms of one part, are converted at the same time.
  const converting = new Map<string, LoadProgress>();
  const showConversion = (each: LoadProgress): void => {
    converting.set(each.file, each);
    const sum = (key: 'loaded' | 'total'): number => [...converting.values()].reduce((all, file) => all + file[key], 0);
    showFile('converting weights (once)', { ...each, loaded: sum('loaded'), total: sum('total') });
  };
  return {
    onPlan(plan) {
      total = plan.totalBytes;
      for (const { path, size, cached } of plan.files) if (cached) loaded.set(path, size);
      done = plan.totalBytes - plan.missingBytes;
      if (!quiet) stderr.write(planSummary(plan));
    },
    onProgress(each) {
      if (each.stage === 'convert') return showConversion(each);
      if (each.stage === 'export') return showFile(`writing ${each.file}`, each);
      done += each.loaded - (loaded.get(each.file) ?? 0);
      loaded.set(each.file, each.loaded);
      const at = now();
      if (!shows || total === 0 || (at - shownAt < INTERVAL && done < total)) return;
      shownAt = at;
      history = [...history.filter((entry) => at - entry.at < RATE_WINDOW), { at, bytes: done }];
      stderr.write(CLEAR_LINE + progressLine(done, total, history).slice(0, lineWidth(stderr)));
    },
    clear() {
      if (shows && shownAt > -Infinity) stderr.write(CLEAR_LINE);
    },
  };
}

function progressLine(done: number, total: number, history: readonly { at: number; bytes: number }[]): string {
  const [first, last] = [history[0], history.at(-1)];
  const seconds = first && last ? (last.at - first.at) / 1000 : 0;
  const rate = first && last && seconds > 0 ? (last.bytes - first.bytes) / seconds : 0;
  const pace = rate > 0 ? `, ${byteSize(rate)}/s, ${duration((total - done) / rate)} left` : '';
  return `${Math.floor((100 * done) / total)} %, ${byteSize(done)} of ${byteSize(total)}${pace}`;
}

function duration(seconds: number): string {
  if (seconds < 60) return `${Math.ceil(seconds)} s`;
  return seconds < 3600
    ? `${Math.ceil(seconds / 60)} min`
    : `${Math.floor(seconds / 3600)} h ${Math.ceil((seconds % 3600) / 60)} min`;
}
