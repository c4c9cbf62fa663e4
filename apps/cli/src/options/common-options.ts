import { type Command, Option } from 'commander';

import { positiveInteger } from './argument-parsers.ts';

/** Rows that are decoded together when nothing else is said. */
const DEFAULT_BATCH_SIZE = 4;

/** How a command reports. */
export interface ReportOptions {
  readonly json?: boolean;
  readonly quiet?: boolean;
  readonly verbose?: boolean;
}

/** What every command takes that can write to a file. */
export interface OutputOptions extends ReportOptions {
  readonly output?: string;
}

/** What every command takes that runs a model. */
export interface ModelOptions {
  readonly model?: string;
  readonly dtype?: string;
  readonly device?: string;
  readonly threads?: number;
  readonly module?: string;
  readonly offline?: boolean;
}

/** How images named by URLs are fetched. */
export interface UrlOptions {
  readonly allowPrivateUrls?: boolean;
}

/** What every command takes that goes through images. */
export interface ImageOptions extends OutputOptions, ModelOptions, UrlOptions {
  readonly recursive?: boolean;
  readonly batchSize: number;
  readonly restart?: boolean;
  readonly progress: boolean;
}

export function addOutputOptions(command: Command): Command {
  return addReportOptions(command).addOption(
    new Option('-o, --output <file>', 'Write results to a file instead of stdout').helpGroup('Output:'),
  );
}

export function addReportOptions(command: Command): Command {
  return command
    .addOption(new Option('--json', 'One JSON object per line').helpGroup('Output:'))
    .addOption(new Option('--quiet', 'No notes and no progress on stderr, errors only').helpGroup('Output:'))
    .addOption(new Option('--verbose', 'Errors with their stack').helpGroup('Output:'));
}

export function addModelOptions(command: Command): Command {
  const group = 'Model:';
  return command
    .addOption(
      new Option(
        '-m, --model <model>',
        'Folder of a Hugging Face checkpoint, or a hub id such as Salesforce/blip2-flan-t5-xl (default: the built-in demo)',
      ).helpGroup(group),
    )
    .addOption(
      new Option(
        '--dtype <precision>',
        'fp32 (default), int8, q8, q4, fast, small; or by part: vision=int8,language=q4',
      ).helpGroup(group),
    )
    .addOption(
      new Option(
        '--device <name>',
        'Where to run (default: cpu); cuda and others where onnxruntime has them, untested',
      ).helpGroup(group),
    )
    .addOption(
      new Option('--threads <n>', 'Threads within one operator (default: measured)')
        .argParser(positiveInteger)
        .helpGroup(group),
    )
    .addOption(new Option('--offline', 'Never ask the network for a model').helpGroup(group));
}

export function addUrlOptions(command: Command): Command {
  return command.addOption(
    new Option('--allow-private-urls', 'Fetch URLs of this machine and its network too').helpGroup('Images:'),
  );
}

export function addImageOptions(command: Command): Command {
  command
    .addOption(new Option('-r, --recursive', 'Look into the subfolders of folders').helpGroup('Images:'))
    .addOption(
      new Option('--batch-size <n>', 'Rows that go through the model together')
        .argParser(positiveInteger)
        .default(DEFAULT_BATCH_SIZE)
        .helpGroup('Images:'),
    );
  addUrlOptions(command);
  addOutputOptions(command);
  command
    .addOption(
      new Option(
        '--restart',
        'Start over instead of going on with what the output holds (.jsonl, .csv, --sidecar, --format)',
      ).helpGroup('Output:'),
    )
    .addOption(new Option('--no-progress', 'No count on the terminal').helpGroup('Output:'));
  return addModelOptions(command);
}
