import { defined, type Phase, THREADS_VARIABLE } from '@blip2/interfaces';
import { type ExplainedThreads, explainThreads, type ThreadTiming } from '@blip2/runtime';

import type { ThreadReport } from './checkpoint-report.ts';

/**
 * The numbers of threads that this model gets on this machine, and why. They are measured if that has not happened
 * within the last day, as loading the model would.
 */
export async function threadReport(weightBytes: number): Promise<ThreadReport> {
  return reportOf(await explainThreads({ weightBytes: () => weightBytes }));
}

/** Describes numbers of threads. */
export function reportOf({
  choice,
  reason,
  pinned,
  usable,
  timings,
  rowTimings,
  file,
}: ExplainedThreads): ThreadReport {
  const { processors, quota, topology } = usable;
  return {
    ...choice,
    reason,
    processors,
    ...defined({ quota, cores: topology?.kinds, pinned, file }),
    ...(timings && timings.length > 0 && { timings }),
    ...(rowTimings && rowTimings.length > 0 && { rowTimings }),
  };
}

const PHASES: readonly Phase[] = ['encoder', 'prompt', 'decode'];

/** One line for people: what was chosen, and why. */
export function threadsText(report: ThreadReport): string {
  const numbers = PHASES.map((phase) => `${phase} ${report[phase] ?? 'as onnxruntime chooses'}`).join(', ');
  const rows = report.fewRows === undefined ? '' : `; at fast, 4-bit weights up to ${report.fewRows} rows`;
  return `${numbers}${rows} (${reasonText(report)}; ${machineText(report)})`;
}

function reasonText({ reason, pinned, timings }: ThreadReport): string {
  const why = {
    pinned: `pinned by ${THREADS_VARIABLE}`,
    measured: 'measured now',
    saved: 'measured within a day',
    quota: 'not measured: as the system grants',
    runtime: 'not measured: the model is small, or other programs are busy',
  }[reason];
  const parts = reason === 'pinned' || !pinned ? [why] : [why, `${Object.keys(pinned).join(', ')} pinned`];
  return [...parts, ...(timings?.map(timingText) ?? [])].join(', ');
}

function timingText({ threads, byteMs, promptMs, blockMs, readMs }: ThreadTiming): string {
  const times = [byteMs, promptMs, blockMs, readMs].map((time) => time.toPrecision(2));
  return `${threads}: ${times.join('/')} ms`;
}

function machineText({ processors, quota, cores }: ThreadReport): string {
  const kinds = cores?.map((kind) => `${kind.cores} ${kind.name}${kind.cores === 1 ? '' : 's'}`).join(' + ');
  const limit = quota === undefined ? '' : `, quota ${Number(quota.toFixed(2))}`;
  return `${processors} processor${processors === 1 ? '' : 's'}${kinds === undefined ? '' : ` on ${kinds}`}${limit}`;
}
