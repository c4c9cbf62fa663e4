import { realpath } from 'node:fs/promises';
import type { Environment } from '../environment.ts';
import type { ModelOptions, OutputOptions } from '../options/common-options.ts';
import { demoModelFolder, demoModelNotice } from './demo-model.ts';
import type { TaskModel } from './model-port.ts';

/** Loads the model that the options name, or the demo, which says what it is. */
export async function openModel(options: ModelOptions & OutputOptions, environment: Environment, signal: AbortSignal): Promise<TaskModel> {
  const source = options.model ?? demoModelFolder;
  if (options.quiet !== true && (await isDemo(source))) environment.stderr.write(demoModelNotice);
  return environment.loadModel(source, {
    ...(options.dtype !== undefined && { dtype: options.dtype }),
    ...(options.device !== undefined && { device: options.device }),
    ...(options.threads !== undefined && { threads: options.threads }),
    localFilesOnly: options.offline === true,
    signal,
  });
}

async function isDemo(source: string): Promise<boolean> {
  const [given, demo] = await Promise.all([source, demoModelFolder].map((folder) => realpath(folder).catch(() => folder)));
  return given === demo;
}
