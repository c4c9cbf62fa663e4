import { availableParallelism } from 'node:os';

import type { LoadOptions } from '@blip2/blip2';
import type { ThreadChoice } from '@blip2/interfaces';
import { type Command, Option } from 'commander';

import type { SourceOptions } from '../model/model-source.ts';
import { positiveIntegerUpTo, repeated, threadsUpTo } from './argument-parsers.ts';

/** Default number of rows that are decoded together. */
const DEFAULT_BATCH_SIZE = 4;
export const MAX_BATCH_SIZE = 1024;
/** More threads than processors only wait for each other. The limit is not lower on small machines. */
const LEAST_MAX_THREADS = 64;

const IMAGES = 'File, "glob", folder, URL, @list.txt, @list.jsonl, or - for stdin';
const ISOLATIONS = ['worker', 'process', 'inline'] as const;
/** Where the parts of a model run. */
export type Isolate = (typeof ISOLATIONS)[number] & NonNullable<LoadOptions['isolate']>;
/** Ctrl-C takes effect during inference, and a process has one copy of its weights. */
export const DEFAULT_ISOLATE = 'worker';
const PRECISIONS = 'Precisions: fp32, int8, q8, q4, fast, small';

/** Options of reporting, for all commands that run a model. */
export interface ReportOptions {
  readonly json?: boolean;
  readonly quiet?: boolean;
  readonly verbose?: boolean;
}

/** Options of commands that can write to a file. */
export interface OutputOptions extends ReportOptions {
  readonly output?: string;
}

/** Options of commands that run a model. */
export interface ModelOptions extends SourceOptions {
  /** LoRA adapters that apply together. */
  readonly adapter?: readonly string[];
  readonly dtype?: string;
  readonly device?: string;
  readonly threads?: number | Partial<ThreadChoice>;
  readonly isolate?: Isolate;
  readonly module?: string;
  readonly offline?: boolean;
  readonly revision?: string;
}

/** Options of fetching images. */
export interface UrlOptions {
  readonly allowPrivateUrls?: boolean;
}

/** Options of commands that process many images. */
export interface ImageOptions extends OutputOptions, ModelOptions, UrlOptions {
  readonly recursive?: boolean;
  readonly batchSize: number;
  readonly restart?: boolean;
  /** Layout of a folder, in place of a file. */
  readonly format?: string;
  readonly progress: boolean;
}

/** Options of commands that ask questions. */
export interface QuestionOptions {
  readonly question: readonly string[];
  readonly rawPrompt?: boolean;
}

/** Options of commands that can write a contact sheet. */
export interface SheetOptions {
  readonly report?: string;
}

/** Adds the IMAGE argument; optional with `optional`. */
export function addImageArgument(
  command: Command,
  { optional = false }: { readonly optional?: boolean } = {},
): Command {
  return command.argument(optional ? '[image...]' : '<image...>', IMAGES);
}

/** Adds the questions to ask about every image. */
export function addQuestionOptions(command: Command): Command {
  return command.requiredOption('-q, --question <text>', 'Question about every image; may be repeated', repeated);
}

export function addRawPromptOption(command: Command): Command {
  return command.option('--raw-prompt', "Use the question as the prompt, without the checkpoint's template");
}

export function addOutputOptions(command: Command): Command {
  return addReportOptions(command).addOption(
    new Option('-o, --output <file>', 'Write results to a file instead of stdout').helpGroup('Output:'),
  );
}

export function addReportOptions(command: Command): Command {
  return command
    .addOption(new Option('--json', 'One JSON object per line').helpGroup('Output:'))
    .addOption(new Option('--quiet', 'Only errors on stderr, no notes and no progress').helpGroup('Output:'))
    .addOption(verboseOption());
}

export function verboseOption(): Option {
  return new Option('--verbose', 'Errors with their stack').helpGroup('Output:');
}

export function noProgressOption(): Option {
  return new Option('--no-progress', 'No progress on the terminal').helpGroup('Output:');
}

export function recursiveOption(): Option {
  return new Option('-r, --recursive', 'Include the subfolders of folders').helpGroup('Images:');
}

export function threadsOption(): Option {
  return new Option(
    '--threads <n>',
    'Threads within one operator, or by phase: encoder=4,prompt=4,decode=2 (default: measured)',
  ).argParser(threadsUpTo(Math.max(LEAST_MAX_THREADS, availableParallelism())));
}

/** `byDefault`: what the command does without the option. */
export function isolateOption(byDefault: Isolate = DEFAULT_ISOLATE): Option {
  const text = `Run the model in threads (worker), child processes (process) or here (inline); default: ${byDefault}`;
  return new Option('--isolate <where>', text).choices(ISOLATIONS);
}

export function adapterOption(): Option {
  return new Option(
    '--adapter <folder>',
    'LoRA adapter of PEFT to merge into the weights: a folder or a hub id; may be repeated, and then all apply',
  ).argParser(repeated);
}

export function offlineOption(): Option {
  return new Option('--offline', 'Never use the network to load a model');
}

export function revisionOption(): Option {
  return new Option('--revision <name>', 'Branch, tag or commit of a hub model (default: main)');
}

/** Adds `--dtype` of commands that compare precisions. */
export function addPrecisionsOption(command: Command, precisions: string): Command {
  return command.option('--dtype <a,b>', PRECISIONS, precisions);
}

const SOURCE = '(folder or hub id)';
const SOURCES: readonly (readonly [flags: string, description: string])[] = [
  ['--vision <model>', `Vision encoder of any family ${SOURCE}, with its image settings`],
  ['--qformer <model>', `Q-Former and projection ${SOURCE}`],
  ['--language <model>', `Language model of any family ${SOURCE}, with its tokenizer`],
  ['--processor <model>', `Tokenizer ${SOURCE}, and image settings unless --vision has them`],
];

/** Adds the options that replace the source of one part. */
export function addSourceOptions(command: Command): Command {
  for (const [flags, description] of SOURCES) command.addOption(new Option(flags, description).helpGroup('Model:'));
  return command;
}

export function addModelOptions(command: Command): Command {
  const group = 'Model:';
  command.addOption(
    new Option(
      '-m, --model <model>',
      'Folder of a Hugging Face checkpoint, or a hub id such as Salesforce/blip2-flan-t5-xl ' +
        '(default: the built-in demo)',
    ).helpGroup(group),
  );
  return addSourceOptions(command)
    .addOption(adapterOption().helpGroup(group))
    .addOption(
      new Option(
        '--dtype <precision>',
        'fp32 (default), int8, q8, q4, fast, small; or by part: vision=int8,language=q4',
      ).helpGroup(group),
    )
    .addOption(
      new Option(
        '--device <name>',
        'Execution provider (default: cpu); others, such as cuda, if onnxruntime has them, untested',
      ).helpGroup(group),
    )
    .addOption(threadsOption().helpGroup(group))
    .addOption(isolateOption().helpGroup(group))
    .addOption(revisionOption().helpGroup(group))
    .addOption(offlineOption().helpGroup(group));
}

export function addModuleOption(command: Command): Command {
  return command.addOption(
    new Option(
      '--module <file>',
      'ES module with custom components, prompts or criteria (Blip2Module of @blip2/cli), or model families; ' +
        'its code is run',
    ).helpGroup('Model:'),
  );
}

/** Adds `--module` of commands that use nothing of a module but its families. */
export function addFamiliesOption(command: Command): Command {
  return command.addOption(
    new Option('--module <file>', 'ES module that registers model families; its code is run').helpGroup('Model:'),
  );
}

export function addUrlOptions(command: Command): Command {
  return command.addOption(
    new Option('--allow-private-urls', 'Also fetch URLs of this machine and its network').helpGroup('Images:'),
  );
}

export function addImageOptions(command: Command): Command {
  command
    .addOption(recursiveOption())
    .addOption(
      new Option('--batch-size <n>', 'Rows that go through the model together')
        .argParser(positiveIntegerUpTo(MAX_BATCH_SIZE))
        .default(DEFAULT_BATCH_SIZE)
        .helpGroup('Images:'),
    );
  addUrlOptions(command);
  addOutputOptions(command);
  command
    .addOption(
      new Option(
        '--restart',
        'Start over instead of resuming an earlier run (.jsonl, .csv, --sidecar, --format)',
      ).helpGroup('Output:'),
    )
    .addOption(noProgressOption());
  return addModelOptions(command);
}

export function addSheetOption(command: Command): Command {
  return command.addOption(
    new Option('--report <file>', 'Also write a contact sheet: one HTML page of thumbnails with their texts').helpGroup(
      'Output:',
    ),
  );
}
