import { basename, resolve } from 'node:path';

import { defined, mustBe, type ThreadChoice } from '@blip2/interfaces';
import type { NamedSource, ServerLimits, ServerOptions } from '@blip2/server';
import { type Command, InvalidArgumentError, Option } from 'commander';

import { demoModelFolder, demoRetrievalFolder } from '../../model/demo-model.ts';
import { integer, positiveInteger, positiveNumber, repeated } from '../../options/argument-parsers.ts';
import {
  type Isolate,
  isolateOption,
  offlineOption,
  threadsOption,
  verboseOption,
} from '../../options/common-options.ts';
import { dtypeOption } from '../../options/dtype.ts';

/** The options of `blip2 serve`. */
export interface ServeCommandOptions {
  readonly host: string;
  readonly port: number;
  readonly model?: readonly string[];
  readonly dtype?: string;
  readonly device?: string;
  readonly threads?: number | Partial<ThreadChoice>;
  readonly isolate?: Isolate;
  readonly offline?: boolean;
  readonly keepAlive?: number;
  readonly maxModelMemory?: number;
  readonly apiKey?: string;
  readonly corsOrigin?: readonly string[];
  readonly allowImageUrls?: boolean;
  readonly maxBody?: number;
  readonly maxPixels?: number;
  readonly maxImages?: number;
  readonly maxTokens?: number;
  readonly maxRunning?: number;
  readonly maxQueue?: number;
  readonly imageCache?: number;
  readonly requestTimeout?: number;
  readonly logPrompts?: boolean;
  readonly quiet?: boolean;
  readonly verbose?: boolean;
}

const DEFAULT_PORT = 8080;
const MAX_PORT = 65_535;
const MEGA = 1_000_000;
const SECOND_MS = 1000;

/** Adds the options of `blip2 serve`. */
export function addServeOptions(command: Command): void {
  const model = 'Models:';
  const access = 'Access:';
  const limits = 'Limits:';
  const output = 'Output:';
  const options: readonly Option[] = [
    new Option('--host <address>', 'Address to listen on; 0.0.0.0 for the network').default('127.0.0.1'),
    new Option('--port <n>', 'Port; 0 for a free one').argParser(portNumber).default(DEFAULT_PORT),
    new Option('--model <name=model>', 'Another model under a name; may be repeated, loaded on first use')
      .argParser(repeated)
      .helpGroup(model),
    new Option(
      '--dtype <precision>',
      'fp32 (default), int8, q8, q4, fast, small; or by part: vision=int8,language=q4',
    ).helpGroup(model),
    new Option('--device <name>', 'Execution provider (default: cpu)').helpGroup(model),
    threadsOption().helpGroup(model),
    isolateOption('process').helpGroup(model),
    offlineOption().helpGroup(model),
    new Option('--keep-alive <seconds>', 'Unload a model after this time without requests (default: never)')
      .argParser(positiveNumber)
      .helpGroup(model),
    new Option('--max-model-memory <MB>', 'Weights in memory; idle models are unloaded for others (default: no limit)')
      .argParser(positiveNumber)
      .helpGroup(model),
    new Option('--api-key <key>', 'Key that requests must have (default: BLIP2_API_KEY, else none)').helpGroup(access),
    new Option('--cors-origin <origin>', 'Origin of a web page that may use the server, or *; may be repeated')
      .argParser(repeated)
      .helpGroup(access),
    new Option('--allow-image-urls', 'Fetch images from http(s) URLs with public addresses').helpGroup(access),
    limitOption('--max-body <MB>', 'Size of a request (default: 20)', positiveNumber),
    limitOption('--max-pixels <millions>', 'Pixels of an image (default: 50)', positiveNumber),
    limitOption('--max-images <n>', 'Images of a request (default: 16)', positiveInteger),
    limitOption('--max-tokens <n>', 'New tokens of a text (default: 256)', positiveInteger),
    limitOption('--max-running <n>', 'Requests of a model at a time, decoded together (default: 16)', positiveInteger),
    limitOption('--max-queue <n>', 'Requests that wait for a model, then 429 (default: 64)', queueLength),
    limitOption('--image-cache <MB>', 'Encoded images and prompts to keep; 0: none (default: 500)', megabytes),
    limitOption('--request-timeout <seconds>', 'Time of a request, waiting included (default: 300)', positiveNumber),
    new Option('--log-prompts', 'Include prompts in the log of requests').helpGroup(output),
    new Option('--quiet', 'No log of requests').helpGroup(output),
    verboseOption(),
  ];
  for (const option of options) command.addOption(option);
  function limitOption(flags: string, description: string, parser: (value: string) => number): Option {
    return new Option(flags, description).argParser(parser).helpGroup(limits);
  }
}

/**
 * The options of the server.
 * @throws Blip2Error `INVALID_ARGUMENT` for models without a name, or with the same one; the codes of `dtypeOption`.
 */
export function serverOptions(
  first: string | undefined,
  options: ServeCommandOptions,
  variables: Readonly<Record<string, string | undefined>>,
): ServerOptions {
  const { device, threads, isolate, offline, maxBody, maxPixels, maxModelMemory, requestTimeout, keepAlive } = options;
  const limits: Partial<ServerLimits> = defined({
    maxBodyBytes: scaled(maxBody, MEGA),
    maxPixels: scaled(maxPixels, MEGA),
    maxImages: options.maxImages,
    maxNewTokens: options.maxTokens,
    maxRunning: options.maxRunning,
    maxWaiting: options.maxQueue,
    imageCacheBytes: scaled(options.imageCache, MEGA),
    requestTimeoutMs: scaled(requestTimeout, SECOND_MS),
    maxModelBytes: scaled(maxModelMemory, MEGA),
    allowUrls: options.allowImageUrls,
  });
  return {
    models: servedModels(first, options.model ?? []),
    load: { ...defined({ device, threads, isolate }), ...dtypeOption(options.dtype), localFilesOnly: offline === true },
    limits,
    logPrompts: options.logPrompts === true,
    ...defined({
      apiKey: options.apiKey ?? (variables['BLIP2_API_KEY'] || undefined),
      corsOrigins: options.corsOrigin,
      keepAliveMs: scaled(keepAlive, SECOND_MS),
    }),
  };
}

/** Without any model: the demo checkpoints, one for texts and one for scores. */
function servedModels(first: string | undefined, named: readonly string[]): readonly NamedSource[] {
  const models = [...(first === undefined ? [] : [{ name: nameOf(first), source: first }]), ...named.map(namedSource)];
  const names = models.map(({ name }) => name);
  const twice = names.find((name, index) => names.indexOf(name) !== index);
  if (twice !== undefined) throw mustBe('--model', 'a list of models with different names', twice);
  if (models.length > 0) return models;
  return [demoModelFolder, demoRetrievalFolder].map((source) => ({ name: nameOf(source), source }));
}

function namedSource(text: string): NamedSource {
  const at = text.indexOf('=');
  if (at < 0) return { name: nameOf(text), source: text };
  const [name, source] = [text.slice(0, at), text.slice(at + 1)];
  if (name === '' || source === '') throw mustBe('--model', 'NAME=MODEL', text);
  return { name, source };
}

/** A hub id is its own name; a folder is named after itself. */
function nameOf(source: string): string {
  return /^[\w-][\w.-]*\/[\w.-]+$/.test(source) ? source : basename(resolve(source));
}

function scaled(value: number | undefined, factor: number): number | undefined {
  return value === undefined ? undefined : value * factor;
}

function portNumber(value: string): number {
  const port = integer(value);
  if (port < 0 || port > MAX_PORT) throw new InvalidArgumentError(`Expected a port from 0 to ${MAX_PORT}.`);
  return port;
}

function megabytes(value: string): number {
  const size = Number(value);
  if (value.trim() === '' || !(size >= 0)) throw new InvalidArgumentError('Expected a number of at least 0.');
  return size;
}

function queueLength(value: string): number {
  const length = integer(value);
  if (length < 0) throw new InvalidArgumentError('Expected a whole number of at least 0.');
  return length;
}
