import type { ConversionOptions, RandomCheckpointOptions, SaveOptions } from '@blip2/checkpoint';
import type { ResolveOptions } from '@blip2/hub';
import { expectKnownOptions } from '@blip2/interfaces';
import type { PartOptions } from '@blip2/runtime';

import type { AdapterOptions } from './adapters/part-source.ts';

/** Every member of a type of options; the compiler completes it. */
type Names<Options> = Readonly<Record<keyof Options, true>>;

const RESOLVE: Names<ResolveOptions> = {
  revision: true,
  cacheDir: true,
  token: true,
  localFilesOnly: true,
  signal: true,
  onProgress: true,
  onPlan: true,
};
const CONVERSION: Names<ConversionOptions> = {
  convertedDir: true,
  signal: true,
  onProgress: true,
  conversionThreads: true,
};
const PART: Names<PartOptions> = {
  dtype: true,
  createSession: true,
  threads: true,
  rows: true,
  device: true,
  repeated: true,
};
const ADAPTERS: Names<AdapterOptions> = { adapters: true };
const RANDOM: Names<RandomCheckpointOptions & { initializer: unknown }> = {
  seed: true,
  folder: true,
  initializer: true,
  signal: true,
  onProgress: true,
};
const SAVE: Names<SaveOptions> = { dtype: true, maxShardBytes: true, metadata: true, signal: true, onProgress: true };

/** Names of the options of a download. */
export const RESOLVE_OPTIONS: readonly string[] = Object.keys(RESOLVE);
/** Names of the options of a part's sessions. */
export const PART_OPTIONS: readonly string[] = Object.keys(PART);
/** Names of the options that parts are loaded with. */
export const LOAD_PART_OPTIONS: readonly string[] = Object.keys({ ...PART, ...RESOLVE, ...CONVERSION, ...ADAPTERS });
/** Names of the options of random weights. */
export const RANDOM_OPTIONS: readonly string[] = Object.keys(RANDOM);
/** Names of the options of `savePretrained`. */
export const SAVE_OPTIONS: readonly string[] = Object.keys(SAVE);

const PRECISION = "Use dtype: 'int8', 'q8', 'q4', 'fast' or 'small'; the default is 'fp32'";
const WEIGHT_FILES = 'Omit it: weights are read from the safetensors files of the checkpoint';
const PLACEMENT = 'Omit it: weights are mapped from the checkpoint, and parts run on device (default cpu)';

/** Options of Hugging Face Transformers and transformers.js that do not exist here, and what to do instead. */
export const LOAD_REPLACEMENTS: Readonly<Record<string, string>> = inBothSpellings({
  loadIn8bit: "Use dtype: 'int8', or 'fast'",
  loadIn4bit: "Use dtype: 'q4', or 'small'",
  torchDtype: "Use dtype; the default is 'fp32', whatever the stored type",
  quantized: PRECISION,
  quantizationConfig: PRECISION,
  deviceMap: PLACEMENT,
  maxMemory: PLACEMENT,
  lowCpuMemUsage: PLACEMENT,
  offloadFolder: PLACEMENT,
  offloadStateDict: PLACEMENT,
  tpPlan: PLACEMENT,
  attnImplementation: 'Omit it: there is one implementation of attention',
  trustRemoteCode: 'Omit it: no code of a repository is run',
  useSafetensors: WEIGHT_FILES,
  variant: WEIGHT_FILES,
  fromTf: WEIGHT_FILES,
  fromFlax: WEIGHT_FILES,
  modelFileName: WEIGHT_FILES,
  useExternalDataFormat: WEIGHT_FILES,
  stateDict: 'Omit it: weights are read from the checkpoint. For random weights use fromConfig',
  ignoreMismatchedSizes: 'Omit it: tensors of other shapes are refused',
  outputLoadingInfo: 'Omit it: missing tensors are refused',
  forceDownload: 'Omit it: cached files are verified. To download again, run blip2 cache rm',
  resumeDownload: 'Omit it: downloads resume',
  useAuthToken: 'Use token',
  proxies: 'Set HTTPS_PROXY',
  progressCallback: 'Use onProgress, which is called with { stage, file, loaded, total }',
  sessionOptions: 'Use threads, device and isolate',
  subfolder: 'Pass the folder that contains config.json as the source',
  config: 'Omit it: config.json is read. For another configuration use fromConfig of the class of the model',
});

/** Options of the forward functions of Hugging Face Transformers that do not exist here. */
const FORWARD_REPLACEMENTS: Readonly<Record<string, string>> = inBothSpellings({
  returnDict: 'Omit it: results are always objects with named members',
});

/**
 * Checks the options of a function of a part.
 * @throws Blip2Error `UNKNOWN_OPTION` for options that the part does not have, with the nearest known name.
 */
export function expectPartOptions(
  { label, ownOptions = [] }: { readonly label: string; readonly ownOptions?: readonly string[] },
  name: string,
  options: unknown,
  known: readonly string[],
): void {
  expectKnownOptions(`${name} of the ${label}`, options, [...known, ...ownOptions], LOAD_REPLACEMENTS);
}

/** A table of camelCase names, also under their names in snake_case. */
function inBothSpellings(table: Readonly<Record<string, string>>): Readonly<Record<string, string>> {
  return Object.fromEntries(
    Object.entries(table).flatMap(([name, fix]) => [
      [name, fix],
      [name.replace(/[A-Z]|\d+/g, (part) => `_${part.toLowerCase()}`), fix],
    ]),
  );
}

/** The options of `forward`, by what a part can return or accept. */
export type ForwardOptionName = 'outputHiddenStates' | 'outputAttentions' | 'useCache' | 'interpolatePosEncoding';

/**
 * Checks the options of a call of a part.
 * @throws Blip2Error `UNKNOWN_OPTION`, `INVALID_ARGUMENT`.
 */
export function expectForwardOptions<const Name extends string = ForwardOptionName>(
  where: string,
  options: unknown,
  known: readonly Name[],
): void {
  expectKnownOptions(where, options, known, FORWARD_REPLACEMENTS);
}
