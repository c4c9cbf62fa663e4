import type { TextResult } from '@blip2/blip2';

import type { CliCommand } from '../command.ts';
import type { TaskModel } from '../model/model-port.ts';
import { noteIneffective } from '../options/generation-flags.ts';
import type { TextTaskOptions } from '../options/text-task-options.ts';
import type { ImageTask } from './image-task.ts';
import { runImages } from './run-images.ts';

/** The `run` of a command that generates a text for every image. */
export function textTaskRunner<Options extends TextTaskOptions>(
  taskOf: (options: Options) => ImageTask<TextResult, TaskModel>,
): CliCommand['run'] {
  return (command, environment) => {
    const options = command.opts<Options>();
    noteIneffective(options, environment);
    return runImages(taskOf(options), command.args, options, environment);
  };
}
