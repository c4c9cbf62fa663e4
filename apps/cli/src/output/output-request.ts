import type { RunNumbers } from '../model/run-numbers.ts';
import type { ResultSink } from './result-sink.ts';
import type { RunRecord } from './run-record.ts';

/** How an output continues an earlier run. */
export interface ResumeOptions {
  /** Created on first use, because it reads files of the model. */
  readonly record: () => Promise<RunRecord>;
  /** Takes over the numbers of an earlier run. */
  readonly numbers?: RunNumbers;
  /** Start over: existing content is deleted when the first new line is written. */
  readonly restart: boolean;
  /** The key of a finished line; `undefined` for a line to compute again. */
  readonly keyOf: (line: Readonly<Record<string, unknown>>) => string | undefined;
  /** Ends the wait for the reader of a pipe. */
  readonly signal?: AbortSignal | undefined;
}

/** Where a command should write its results. */
export interface OutputRequest {
  /** The value of `-o`. */
  readonly output: string | undefined;
  /** Names of the inputs, as in the results. */
  readonly inputs: readonly string[];
  readonly resume: ResumeOptions;
}

/**
 * Opens a sink that takes JSON lines and converts them to the format of the output; `undefined` for outputs that hold
 * the lines themselves.
 */
export type OpenOutput = (request: OutputRequest) => Promise<ResultSink> | undefined;
