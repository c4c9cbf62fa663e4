import type { ExampleProblem } from '../examples/training-example.ts';
import type { ValidationReport } from '../validation/validation-report.ts';
import type { RunPlan } from './run-plan.ts';
import type { StepReport } from './step-log.ts';

/** What a run consists of, once data and model have been read. */
export interface PreparedRun extends RunPlan {
  /** Steps that an earlier run has made. */
  readonly done: number;
  /** Whether a validation has ended the run already. */
  readonly isOver: boolean;
  readonly exampleCount: number;
  /** Examples of the validation. */
  readonly validationCount: number;
  /** Examples that are left out. */
  readonly problems: readonly ExampleProblem[];
  /** Images that were encoded now. */
  readonly encoded: number;
  readonly trained: number;
  readonly threads: number;
  /** What differs from the machine that the run was started on. */
  readonly changes: readonly string[];
}

/** Options of `Trainer.prepare`. */
export interface PrepareOptions {
  readonly signal?: AbortSignal | undefined;
  /** Called with the number of examples whose image is encoded. */
  readonly onFeatures?: ((done: number, total: number) => void) | undefined;
}

/** A run, step by step. It is meant for a thread of its own. */
export interface Trainer extends AsyncDisposable {
  /**
   * Reads the data, encodes images and opens the model. Call it first.
   * @throws Blip2Error for what cannot be used; the signal's reason.
   */
  prepare(options?: PrepareOptions): Promise<PreparedRun>;
  /**
   * Makes one step.
   * @throws Blip2Error `NOT_FINITE` for a loss or gradients that are not finite; `WRITE_FAILED`. The state before the
   * step has then been saved.
   */
  step(): Promise<StepReport>;
  /** Generates the texts of the validation, if one is due. */
  validate(): Promise<ValidationReport | undefined>;
  /** Saves the state. */
  save(): Promise<void>;
  /** Writes the report, and the checkpoint with the best weights; without a validation, the last ones. */
  finish(): Promise<void>;
}
