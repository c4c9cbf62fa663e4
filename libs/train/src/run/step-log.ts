import { appendFile, readFile } from 'node:fs/promises';
import { join } from 'node:path';

import { wrapWriteErrors, writeAll, writePending } from '@blip2/files';

/** One step of a run. */
export interface StepReport {
  /** Number of the step, from 1. */
  readonly step: number;
  /** Mean of −log p over the targets of the batch, before the step. */
  readonly loss: number;
  /** Norm of the gradients before they are scaled down. */
  readonly norm: number;
  readonly learningRate: number;
}

const FILE = 'log.jsonl';

/** The steps in the log of a run, up to a step. Lines that were not written completely are dropped. */
export async function readLog(folder: string, upTo: number = Infinity): Promise<StepReport[]> {
  const text = await readFile(join(folder, FILE), 'utf8').catch(() => '');
  const reports: StepReport[] = [];
  for (const line of text.split('\n')) {
    const report = parse(line);
    if (report && report.step <= upTo) reports.push(report);
  }
  return reports;
}

/** Starts the log of a run, with the steps that are done. */
export async function startLog(folder: string, reports: readonly StepReport[]): Promise<void> {
  const file = join(folder, FILE);
  const text = reports.map((report) => `${JSON.stringify(report)}\n`).join('');
  const pending = await writePending(file, (handle) => writeAll(handle, new TextEncoder().encode(text), file));
  await pending.commit();
}

export async function appendLog(folder: string, report: StepReport): Promise<void> {
  const file = join(folder, FILE);
  await wrapWriteErrors(file, appendFile(file, `${JSON.stringify(report)}\n`));
}

function parse(line: string): StepReport | undefined {
  try {
    const value: unknown = JSON.parse(line);
    const isReport = typeof value === 'object' && value !== null && 'step' in value && typeof value.step === 'number';
    return isReport ? (value as StepReport) : undefined;
  } catch {
    return undefined;
  }
}
