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

/** The log of steps in the folder of a run. */
export const STEP_LOG = 'log.jsonl';

/** The reports in a log. Lines that were not written completely are dropped. */
export async function readLines<T extends { readonly step: number }>(folder: string, name: string): Promise<T[]> {
  const text = await readFile(join(folder, name), 'utf8').catch(() => '');
  return text.split('\n').flatMap((line) => parse<T>(line));
}

/** Replaces a log. */
export async function startLines(folder: string, name: string, reports: readonly object[]): Promise<void> {
  await replaceFile(join(folder, name), reports.map((report) => `${JSON.stringify(report)}\n`).join(''));
}

export async function appendLine(folder: string, name: string, report: object): Promise<void> {
  const file = join(folder, name);
  await wrapWriteErrors(file, appendFile(file, `${JSON.stringify(report)}\n`));
}

/** Writes a text file, which is either unchanged or complete. */
export async function replaceFile(file: string, text: string): Promise<void> {
  const pending = await writePending(file, (handle) => writeAll(handle, new TextEncoder().encode(text), file));
  await pending.commit();
}

function parse<T extends { readonly step: number }>(line: string): T[] {
  try {
    const value: unknown = JSON.parse(line);
    const isReport = typeof value === 'object' && value !== null && 'step' in value && typeof value.step === 'number';
    return isReport ? [value as T] : [];
  } catch {
    return [];
  }
}
