import { existsSync } from 'node:fs';
import { join } from 'node:path';

import { defined } from '@blip2/interfaces';

import type { Environment } from '../environment.ts';
import { resolveModelSource } from '../hub/resolve-model.ts';
import type { ModelKind } from '../model/model-kinds.ts';
import { sourceOf, sourcesIn } from '../model/model-source.ts';
import { createRunNumbers } from '../model/run-numbers.ts';
import { moduleRecord } from '../module/import-module.ts';
import type { ImageOptions } from '../options/common-options.ts';
import { contentKey } from '../output/content-key.ts';
import { isFolder, isResumable } from '../output/output-path.ts';
import type { ResumeOptions } from '../output/output-request.ts';
import { describeRun, type RecordedModel, type RunRecord } from '../output/run-record.ts';

/** A task whose run can be resumed. */
interface ResumableTask {
  readonly command: string;
  readonly model: Pick<ModelKind<never>, 'demoFolder' | 'unused'>;
  readonly options: Readonly<Record<string, unknown>>;
}

/**
 * The model of a run. Hub ids whose results can be resumed are resolved to their snapshots first, so that the
 * revisions that are recorded are those that are loaded.
 * @throws Blip2Error as `resolveSource` of `@blip2/hub`.
 */
export async function recordedModel(
  { model }: ResumableTask,
  options: ImageOptions,
  environment: Environment,
  signal: AbortSignal,
): Promise<RecordedModel> {
  const source = sourceOf(options, model);
  const areFolders = await Promise.all(sourcesIn(source).map((each) => isFolder(each)));
  if (!isResumable(options) || areFolders.every(Boolean)) return { source };
  return { source, snapshot: await resolveModelSource(source, options, environment, signal) };
}

/**
 * Describes the run of a task, so that its output can be resumed by a run with the same model and options. Options that
 * change at most the last digits of scores (`--threads`, `--batch-size`) do not count: the numbers of the earlier run
 * are used again.
 * @throws Blip2Error `INVALID_ARGUMENT` if the module of the options does not exist.
 */
export async function resumeOptionsOf(
  { command, options: taskOptions }: ResumableTask,
  options: ImageOptions,
  model: RecordedModel,
  keyOf: ResumeOptions['keyOf'],
  signal: AbortSignal,
): Promise<ResumeOptions & Required<Pick<ResumeOptions, 'numbers'>>> {
  const { adapter, dtype, device, revision, module, restart = false } = options;
  const recordedOptions = {
    ...taskOptions,
    ...defined({ adapters: adapter && (await adapterRecords(adapter)) }),
    dtype,
    device,
    revision,
    ...(await moduleRecord(module)),
  };
  let record: Promise<RunRecord> | undefined;
  const described = (): Promise<RunRecord> => (record ??= describeRun(command, model, recordedOptions));
  // Read before the model is loaded, so that files that change later are not recorded.
  if (isResumable(options)) await described();
  const numbers = createRunNumbers(defined({ threads: options.threads }));
  return {
    record: async () => ({ ...(await described()), numbers: numbers.current }),
    numbers,
    restart,
    keyOf,
    signal,
  };
}

const ADAPTER_FILES = ['adapter_config.json', 'adapter_model.safetensors'] as const;

/** Adapters with the contents of their files, as a later run of the same name may have others. */
async function adapterRecords(adapters: readonly string[]): Promise<readonly string[]> {
  const records = adapters.map(async (adapter) => {
    const files = ADAPTER_FILES.map((name) => join(adapter, name)).filter((file) => existsSync(file));
    return [adapter, ...(await Promise.all(files.map(contentKey)))].join(' ');
  });
  return Promise.all(records);
}
