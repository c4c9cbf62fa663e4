import type { ExportManifest } from '@blip2/blip2';
import { defined, mustBe } from '@blip2/interfaces';
import { type Command, Option } from 'commander';

import type { CliCommand } from '../../command.ts';
import type { Environment } from '../../environment.ts';
import { ExitCode } from '../../exit-code.ts';
import { createDownloadReport } from '../../hub/download-report.ts';
import { demoModelFolder } from '../../model/demo-model.ts';
import { type ModelSource, revisionOf, sourceOf, type SourceOptions } from '../../model/model-source.ts';
import { importFamilies } from '../../module/import-module.ts';
import { positiveInteger } from '../../options/argument-parsers.ts';
import {
  adapterOption,
  addFamiliesOption,
  addReportOptions,
  addSourceOptions,
  noProgressOption,
  offlineOption,
  type ReportOptions,
  revisionOption,
} from '../../options/common-options.ts';
import { dtypeOption } from '../../options/dtype.ts';
import { oneLine } from '../../output/display-text.ts';
import { stdoutSink } from '../../output/result-sink.ts';
import { listenForInterrupts } from '../../run/interruption.ts';

interface ExportOptions extends ReportOptions, SourceOptions {
  readonly adapter?: readonly string[];
  readonly module?: string;
  readonly output: string;
  readonly dtype?: string;
  readonly opset?: number;
  readonly portable?: boolean;
  readonly force?: boolean;
  readonly offline?: boolean;
  readonly revision?: string;
  readonly progress: boolean;
}

/** `blip2 export MODEL -o FOLDER`: writes the parts of a model as ONNX files, and prints the folder. */
export const exportCommand: CliCommand = {
  name: 'export',
  description: 'Write every part of a model as ONNX files with external data, for onnxruntime in any language.',
  notes: `
The files and their inputs are described in onnx_export.json in the folder. A failed export leaves nothing behind.

Examples:
  blip2 export -o demo-onnx
  blip2 export Salesforce/blip2-flan-t5-xl -o flan-t5-onnx --dtype language=q4
  blip2 export ./blip2-opt-2.7b -o opt-onnx --portable --opset 18
  blip2 export ./blip2-opt-2.7b --vision ./siglip --adapter ./my-lora -o swapped-onnx
`,
  configure(command) {
    command
      .argument('[model]', 'Folder of a Hugging Face checkpoint, or a hub id (default: the built-in demo)')
      .option('-m, --model <model>', 'Same as the argument')
      .addOption(
        new Option('-o, --output <folder>', 'Folder to write; it must be empty or not exist, without --force')
          .makeOptionMandatory()
          .helpGroup('Output:'),
      )
      .option(
        '--dtype <precision>',
        'fp32 (default), int8, q8, q4, fast, small; or by part: vision=int8,language=q4. ' +
          'fast not for the language model',
      )
      .addOption(
        new Option('--opset <n>', 'Version of the ONNX operators, 18 to 23 (default: 21)').argParser(positiveInteger),
      )
      .option('--portable', 'Operators of the ONNX standard only, without those of onnxruntime (com.microsoft)')
      .addOption(
        new Option('--force', 'Replace files of the same names in a folder that is not empty').helpGroup('Output:'),
      )
      .addOption(adapterOption())
      .addOption(revisionOption())
      .addOption(offlineOption());
    addSourceOptions(command);
    addFamiliesOption(command);
    addReportOptions(command).addOption(noProgressOption());
  },
  async run(command: Command, environment: Environment) {
    const options = command.opts<ExportOptions>();
    const [named] = command.args;
    if (named !== undefined && options.model !== undefined)
      throw mustBe('--model', 'omitted with the argument', options.model);
    const source = sourceOf({ ...options, ...defined({ model: named }) }, { demoFolder: demoModelFolder });
    await importFamilies(options.module);
    using interruption = listenForInterrupts(environment, true);
    const revision = await revisionOf(source, options.revision);
    const { exportOnnx } = await import('@blip2/blip2');
    const report = await createDownloadReport(environment, {
      quiet: options.quiet === true,
      progress: options.progress,
    });
    const { opset, portable, force, adapter: adapters } = options;
    const manifest = await exportOnnx(source, {
      folder: options.output,
      ...dtypeOption(options.dtype),
      ...defined({ opset, portable, force, adapters }),
      ...revision,
      localFilesOnly: options.offline === true,
      signal: interruption.signal,
      onPlan: report.onPlan,
      onProgress: report.onProgress,
    }).finally(report.clear);
    await stdoutSink(environment.stdout).write(
      options.json === true ? jsonLine(source, options.output, manifest) : `${oneLine(options.output)}\n`,
    );
    return ExitCode.done;
  },
};

function jsonLine(model: ModelSource, folder: string, manifest: ExportManifest): string {
  return `${JSON.stringify({ model, folder, ...manifest })}\n`;
}
