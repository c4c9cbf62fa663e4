import type { PreparedRun, StepReport, ValidationReport } from '@blip2/train';

import type { Environment } from '../../environment.ts';
import { stdoutSink } from '../../output/result-sink.ts';
import { canShowProgress, CLEAR_LINE, lineWidth } from '../../output/terminal.ts';
import { lossPlot } from './loss-plot.ts';

/** What a run tells while it goes on. */
export interface TrainReport {
  onFeatures(done: number, total: number): void;
  onStart(run: PreparedRun): void;
  onStep(report: StepReport): void;
  onValidation(report: ValidationReport): void;
  /** Writes a line to stderr, unless the run is quiet. */
  note(text: string): void;
  /** Removes what is shown of the progress. */
  clear(): void;
  /** Waits until all steps are written. */
  finished(): Promise<void>;
}

/** Options of the report. */
export interface TrainReportOptions {
  readonly json?: boolean;
  readonly quiet?: boolean;
  readonly progress: boolean;
}

/** Number of lines of a run on stdout; with `--json` every step has one. */
const LINES = 100;

/**
 * Steps on stdout: with `--json` each as an object, else some of them as `step<TAB>loss<TAB>learning rate`. On a
 * terminal, a plot of the loss and the remaining time on stderr.
 */
export function createTrainReport(
  { stdout, stderr, variables }: Pick<Environment, 'stdout' | 'stderr' | 'variables'>,
  { json = false, quiet = false, progress }: TrainReportOptions,
  now: () => number = () => performance.now(),
): TrainReport {
  const isLive = !quiet && progress && canShowProgress({ stderr, variables });
  const sink = stdoutSink(stdout);
  let written: Promise<void> = Promise.resolve();
  let run: PreparedRun | undefined;
  let start = 0;
  const losses: number[] = [];
  const clear = (): void => {
    if (isLive) stderr.write(CLEAR_LINE);
  };
  const write = (line: string): void => {
    clear();
    written = written.then(async () => sink.write(line));
    // The failure is that of `finished`.
    written.catch(() => undefined);
  };
  const note = (text: string): void => {
    clear();
    if (!quiet) stderr.write(text);
  };
  return {
    note,
    clear,
    onFeatures(done, total) {
      if (isLive) stderr.write(`${CLEAR_LINE}${done}/${total} images encoded`);
    },
    onStart(prepared) {
      run = prepared;
      start = now();
      const { exampleCount, problems, trained, steps, done, changes } = prepared;
      const left = problems.length > 0 ? `, ${problems.length} left out` : '';
      note(`${exampleCount} examples${left}, ${trained} weights, ${steps - done} of ${steps} steps.\n`);
      for (const { where, fault, got } of problems) note(`${where}: ${fault} (${got})\n`);
      if (changes.length > 0) note(`The last digits may differ: another ${changes.join(' and ')}.\n`);
    },
    onStep(report) {
      const { step, loss, learningRate } = report;
      const { steps, done } = run ?? { steps: step, done: 0 };
      losses.push(loss);
      const every = Math.ceil(steps / LINES);
      if (json) write(`${JSON.stringify(report)}\n`);
      else if (step % every === 0 || step === 1 || step === steps)
        write(`${step}\t${loss.toFixed(4)}\t${learningRate.toExponential(2)}\n`);
      if (!isLive) return;
      const left = ((now() - start) / (step - done)) * (steps - step);
      stderr.write(CLEAR_LINE + lossLine({ step, steps, loss, left, losses }, lineWidth(stderr)));
    },
    onValidation(report) {
      const { step, loss, exactMatch, cider, isBest, isLast } = report;
      if (json) write(`${JSON.stringify({ validation: report })}\n`);
      const notes = [...(isBest ? ['the best so far'] : []), ...(isLast ? ['the last: nothing better came'] : [])];
      const measures = [
        `${(100 * exactMatch).toFixed(1)} % of the texts right`,
        ...(cider === undefined ? [] : [`CIDEr ${cider.toFixed(3)}`]),
        `loss ${loss.toFixed(4)}`,
      ];
      note(`Validation after step ${step}: ${[...measures, ...notes].join(', ')}.\n`);
    },
    finished: () => written,
  };
}

interface LossLine {
  readonly step: number;
  readonly steps: number;
  readonly loss: number;
  /** Milliseconds. */
  readonly left: number;
  readonly losses: readonly number[];
}

/** `step/steps loss plot time left`, as wide as the terminal. */
function lossLine({ step, steps, loss, left, losses }: LossLine, width: number): string {
  const seconds = Math.ceil(left / 1000);
  const minutes = Math.floor(seconds / 60);
  const head = `${step}/${steps} loss ${loss.toFixed(4)} `;
  const tail = ` ${minutes > 0 ? `${minutes} min ` : ''}${seconds % 60} s left`;
  const room = width - head.length - tail.length;
  return `${head}${room > 0 ? lossPlot(losses, room) : ''}${tail}`.slice(0, width);
}
