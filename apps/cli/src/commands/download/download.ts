import { defined } from '@blip2/interfaces';
import { type Command, Option } from 'commander';

import type { CliCommand } from '../../command.ts';
import type { Environment } from '../../environment.ts';
import { ExitCode } from '../../exit-code.ts';
import { createDownloadReport } from '../../hub/download-report.ts';
import { RECOMMENDED_MODEL } from '../../hub/recommended-model.ts';
import { noProgressOption, verboseOption } from '../../options/common-options.ts';
import { oneLine } from '../../output/display-text.ts';
import { stdoutSink } from '../../output/result-sink.ts';
import { isAbort, listenForInterrupts } from '../../run/interruption.ts';

interface DownloadCommandOptions {
  readonly revision?: string;
  readonly token?: string;
  readonly cacheDir?: string;
  readonly offline?: boolean;
  readonly dryRun?: boolean;
  readonly json?: boolean;
  readonly quiet?: boolean;
  readonly progress: boolean;
}

/** `blip2 download MODEL`: downloads a model to the cache that Python uses too, and prints its folder. */
export const downloadCommand: CliCommand = {
  name: 'download',
  description: 'Download a model from the Hugging Face Hub to the shared cache, and print its folder.',
  notes: `
Every file is checked against the hub's checksum before it is moved into place. An interrupted download resumes.
Licences: models with OPT (blip2-opt-…) are for non-commercial research only; ${RECOMMENDED_MODEL} is recommended.

Examples:
  blip2 download ${RECOMMENDED_MODEL} --dry-run
  blip2 download ${RECOMMENDED_MODEL}
  blip2 caption -m ${RECOMMENDED_MODEL} --offline photo.jpg
  HF_HUB_CACHE=/disk/models blip2 download Salesforce/blip2-opt-2.7b --revision main
`,
  configure(command) {
    command
      .argument('<model>', `Hub id, such as ${RECOMMENDED_MODEL}, id@revision, or the address of the model page`)
      .option('--revision <name>', 'Branch, tag or commit (default: main)')
      .option('--dry-run', 'Only show what would be downloaded: files, sizes, licence')
      .option('--token <token>', 'Access token of the hub; HF_TOKEN keeps it out of the process list')
      .option('--cache-dir <folder>', 'Cache to use (default: HF_HUB_CACHE, else HF_HOME/hub)')
      .option('--offline', 'Never use the network: only check whether the cache has the model')
      .addOption(new Option('--json', 'One JSON object').helpGroup('Output:'))
      .addOption(new Option('--quiet', 'Only errors on stderr').helpGroup('Output:'))
      .addOption(verboseOption())
      .addOption(noProgressOption());
  },
  async run(command: Command, environment: Environment) {
    const given = command.opts<DownloadCommandOptions>();
    const [source = ''] = command.args;
    const { hubModel } = await import('@blip2/hub');
    const { id, revision } = (await hubModel(source, given.revision)) ?? { id: source };
    const options = { ...given, ...defined({ revision }) };
    using interruption = listenForInterrupts(environment, true);
    // Awaited here, so that interrupts are handled until the end.
    return await (options.dryRun === true
      ? show(id, options, environment, interruption.signal)
      : download(id, options, environment, interruption.signal));
  },
};

function hubOptions(
  { revision, token, cacheDir, offline }: DownloadCommandOptions,
  signal: AbortSignal,
): { revision?: string; token?: string; cacheDir?: string; localFilesOnly: boolean; signal: AbortSignal } {
  return { ...defined({ revision, token, cacheDir }), localFilesOnly: offline === true, signal };
}

async function show(
  id: string,
  options: DownloadCommandOptions,
  { stdout }: Environment,
  signal: AbortSignal,
): Promise<ExitCode> {
  const [{ planDownload }, { planSummary }, { planJson, planTable }] = await Promise.all([
    import('@blip2/hub'),
    import('../../hub/plan-summary.ts'),
    import('./plan-table.ts'),
  ]);
  const plan = await planDownload(id, hubOptions(options, signal));
  await stdoutSink(stdout).write(
    options.json === true ? `${JSON.stringify(planJson(plan))}\n` : planSummary(plan) + planTable(plan),
  );
  return ExitCode.done;
}

async function download(
  id: string,
  options: DownloadCommandOptions,
  environment: Environment,
  signal: AbortSignal,
): Promise<ExitCode> {
  const { downloadModel } = await import('@blip2/hub');
  const report = await createDownloadReport(environment, { quiet: options.quiet === true, progress: options.progress });
  const folder = await downloadModel(id, {
    ...hubOptions(options, signal),
    onPlan: report.onPlan,
    onProgress: report.onProgress,
  }).catch((error: unknown) => {
    report.clear();
    if (isAbort(error) && options.quiet !== true)
      environment.stderr.write('Interrupted. Run the same command again to resume.\n');
    throw error;
  });
  report.clear();
  await stdoutSink(environment.stdout).write(
    options.json === true ? `${JSON.stringify({ model: id, folder })}\n` : `${oneLine(folder)}\n`,
  );
  return ExitCode.done;
}
