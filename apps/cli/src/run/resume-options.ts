import type { ModelKind } from '../model/model-kinds.ts';
import { moduleRecord } from '../module/import-module.ts';
import type { ImageOptions } from '../options/common-options.ts';
import type { ResumeOptions } from '../output/output-request.ts';
import { describeRun } from '../output/run-record.ts';

/** A task whose run can be resumed. */
interface ResumableTask {
  readonly command: string;
  readonly model: Pick<ModelKind<never>, 'demoFolder'>;
  readonly options: Readonly<Record<string, unknown>>;
}

/**
 * Describes the run of a task, so that its output can be resumed by a run with the same model and options.
 * @throws Blip2Error `INVALID_ARGUMENT` if the module of the options does not exist.
 */
export async function resumeOptionsOf(
  { command, model, options: taskOptions }: ResumableTask,
  options: ImageOptions,
  keyOf: ResumeOptions['keyOf'],
  signal: AbortSignal,
): Promise<ResumeOptions> {
  const { dtype, device, module, restart = false } = options;
  const record = await describeRun(command, options.model ?? model.demoFolder, {
    ...taskOptions,
    dtype,
    device,
    ...(await moduleRecord(module)),
  });
  return { record, restart, keyOf, signal };
}
