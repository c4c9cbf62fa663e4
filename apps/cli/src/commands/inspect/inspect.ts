import { defined } from '@blip2/interfaces';
import type { Command } from 'commander';

import type { CliCommand } from '../../command.ts';
import type { Environment } from '../../environment.ts';
import { ExitCode } from '../../exit-code.ts';
import { demoModelFolder } from '../../model/demo-model.ts';
import { revisionOf, sourceOf, type SourceOptions } from '../../model/model-source.ts';
import { importFamilies } from '../../module/import-module.ts';
import {
  adapterOption,
  addFamiliesOption,
  addOutputOptions,
  addSourceOptions,
  offlineOption,
  type OutputOptions,
  revisionOption,
} from '../../options/common-options.ts';
import { expectWritable } from '../../output/output-path.ts';
import { replaceFile } from '../../output/replaced-file.ts';
import { stdoutSink } from '../../output/result-sink.ts';

interface InspectOptions extends OutputOptions, SourceOptions {
  readonly module?: string;
  readonly adapter?: readonly string[];
  readonly offline?: boolean;
  readonly revision?: string;
}

/** `blip2 inspect MODEL`: describes a checkpoint and whether it runs here, without reading its weights. */
export const inspectCommand: CliCommand = {
  name: 'inspect',
  description:
    'Show the architecture and sizes of a checkpoint, and whether it runs on this machine; exit code 1 if it does not.',
  notes: `
Examples:
  blip2 inspect
  blip2 inspect ./blip2-opt-2.7b
  blip2 inspect Salesforce/blip2-flan-t5-xl    reads all but the weights from the hub, a few megabytes
  blip2 inspect ./blip2-opt-2.7b --json | jq .memory
`,
  configure(command) {
    command
      .argument(
        '[model]',
        'Folder of a Hugging Face checkpoint, or a hub id; weights are not downloaded (default: the built-in demo)',
      )
      .option('-m, --model <model>', 'Same as the argument')
      .addOption(adapterOption())
      .addOption(revisionOption())
      .addOption(offlineOption());
    addSourceOptions(command);
    addFamiliesOption(command);
    addOutputOptions(command);
  },
  async run(command: Command, environment: Environment) {
    const { stdout, stderr } = environment;
    const options = command.opts<InspectOptions>();
    if (options.output !== undefined) await expectWritable(options.output);
    const { inspectCheckpoint } = await import('./inspect-checkpoint.ts');
    const { reportTable } = await import('./report-table.ts');
    const model = command.args[0] ?? options.model;
    const source = sourceOf({ ...options, ...defined({ model }) }, { demoFolder: demoModelFolder });
    await importFamilies(options.module);
    const report = await inspectCheckpoint(source, {
      localFilesOnly: options.offline === true,
      ...(await revisionOf(source, options.revision)),
      ...defined({ adapters: options.adapter }),
    });
    const text = options.json ? `${JSON.stringify(report)}\n` : reportTable(report);
    await (options.output === undefined ? stdoutSink(stdout).write(text) : replaceFile(options.output, text));
    for (const { code, message } of report.unsupported) stderr.write(`${code}: ${message}\n`);
    return report.unsupported.length > 0 ? ExitCode.failed : ExitCode.done;
  },
};
