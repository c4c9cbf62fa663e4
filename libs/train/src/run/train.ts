import { moduleUrl } from '@blip2/files';
import { Blip2Error, mustBe } from '@blip2/interfaces';
import { createPartHost } from '@blip2/runtime';

import type { ValidationReport } from '../validation/validation-report.ts';
import type { StepReport } from './step-log.ts';
import { type TrainSettingOptions, trainSettings } from './train-settings.ts';
import type { PreparedRun, Trainer } from './trainer-port.ts';

/** Options of `train`. */
export interface TrainOptions extends TrainSettingOptions {
  /** Ends the run after its current step, with its state saved. */
  readonly signal?: AbortSignal;
  /** Called while images are encoded. */
  readonly onFeatures?: (done: number, total: number) => void;
  /** Called before the first step. */
  readonly onStart?: (run: PreparedRun) => void;
  readonly onStep?: (report: StepReport) => void;
  readonly onValidation?: (report: ValidationReport) => void;
}

/** How a run ended. */
export interface TrainResult {
  /** `interrupted`: by the signal; the run can be resumed, and there is no checkpoint yet. */
  readonly status: 'done' | 'interrupted';
  /** Steps that were made: fewer than `steps` if a validation ended the run. */
  readonly step: number;
  readonly steps: number;
  /** Loss of the last step that was made now. */
  readonly loss: number | undefined;
}

const OTHERS = ['signal', 'onFeatures', 'onStart', 'onStep', 'onValidation'] as const;

const trainerModule = (): URL => moduleUrl('train/run/trainer.js', () => new URL('./trainer.js', import.meta.url));

/**
 * Trains the bridge of a model against its frozen parts, and writes a checkpoint in the layout of Hugging Face
 * Transformers to the folder `output`. The run is in a thread of its own.
 * @throws Blip2Error `INVALID_ARGUMENT`, `UNKNOWN_OPTION`; for data and model what their readers throw; `NOT_FINITE`
 * for a loss that is not finite, with the state before that step saved; `WRITE_FAILED`.
 */
export async function train(options: TrainOptions): Promise<TrainResult> {
  const settings = trainSettings(options, OTHERS);
  const { signal, onFeatures, onStart, onStep, onValidation } = options;
  for (const name of ['onFeatures', 'onStart', 'onStep', 'onValidation'] as const)
    if (options[name] !== undefined && typeof options[name] !== 'function')
      throw mustBe(name, 'a function', options[name]);
  await using host = createPartHost({ isolate: 'worker' });
  let isCreated = false;
  const trainer = await host.create<Trainer>({
    module: trainerModule(),
    export: 'createTrainer',
    args: [settings],
    expectUnchanged: async () => {
      if (!isCreated) return;
      throw new Blip2Error('WORKER_FAILED', 'The thread of the run has ended', { fix: 'Resume the run' });
    },
  });
  isCreated = true;
  const prepared = await trainer.prepare({ ...(signal && { signal }), ...(onFeatures && { onFeatures }) });
  onStart?.(prepared);
  const { steps } = prepared;
  let step = prepared.done;
  let loss: number | undefined;
  let { isOver } = prepared;
  for (;;) {
    const validation = await trainer.validate();
    if (validation) {
      isOver = validation.isLast;
      onValidation?.(validation);
    }
    if (isOver || step === steps || signal?.aborted === true) break;
    const report = await trainer.step();
    ({ step, loss } = report);
    onStep?.(report);
  }
  await trainer.save();
  const isDone = isOver || step === steps;
  if (isDone) await trainer.finish();
  await trainer[Symbol.asyncDispose]();
  return { status: isDone ? 'done' : 'interrupted', step, steps, loss };
}
