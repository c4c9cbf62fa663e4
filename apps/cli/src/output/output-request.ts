import type { ResultSink } from './result-sink.ts';
import type { ResumeOptions } from './resumable-file.ts';

/** What a command is asked to write its results to. */
export interface OutputRequest {
  /** What `-o` names. */
  readonly output: string | undefined;
  /** Names of the inputs, as they stand in the results. */
  readonly inputs: readonly string[];
  readonly resume: ResumeOptions;
}

/**
 * Opens a sink for JSON lines that knows what to do with such an output; `undefined` for an output that is written line
 * by line.
 */
export type OpenOutput = (request: OutputRequest) => Promise<ResultSink> | undefined;
