import type { ConversionOptions } from '@blip2/checkpoint';
import type { ResolveOptions } from '@blip2/hub';
import {
  Blip2Error,
  defined,
  expectKnownOptions,
  expectThreads,
  mustBe,
  type PrecisionChoice,
  type SessionFactory,
  type ThreadChoice,
} from '@blip2/interfaces';
import { expectPrecision } from '@blip2/onnx';
import { type AdapterOptions, LOAD_REPLACEMENTS, RESOLVE_OPTIONS } from '@blip2/part';
import type { Isolation, PartOptions } from '@blip2/runtime';

import { type ModelAdapters, namedAdapters } from '../adapters/named-adapters.ts';
import { batchingSettings } from '../batching/batching-options.ts';
import { expectMaxWaiting, type QueueOptions } from '../lifetime/call-queue.ts';
import type { ModelHosts } from './model-hosts.ts';

/** The parts with a precision of their own. Projections and heads are small and stay `fp32`. */
export type PartWithPrecision = 'vision' | 'qformer' | 'language';

/** Options of every `fromPretrained` of this package. */
export interface LoadOptions extends ResolveOptions, QueueOptions, Pick<ConversionOptions, 'convertedDir'> {
  /**
   * Precision of the weights, for all parts or per part. Default: `fp32`, which maps float32 checkpoints in place.
   * Other precisions are converted once and cached. `fast`: 8 bits, with an additional 4-bit copy of the language model
   * for decoding token by token. `small`: 4 bits, and 8 bits for the feed-forward layers of the vision encoder.
   */
  readonly dtype?: PrecisionChoice | Readonly<Partial<Record<PartWithPrecision, PrecisionChoice>>>;
  /**
   * LoRA adapters of PEFT that are merged into the weights: a folder or a Hub id, a list of them that apply together,
   * or an object of them by name, of which the first applies until `setAdapters`. Default: none, or that of a source
   * that holds only an adapter.
   */
  readonly adapters?: ModelAdapters;
  /** Execution provider. Default: `cpu`. */
  readonly device?: string;
  /**
   * Threads per operator: one number for all parts, which run one after another, or `{ encoder, prompt, decode, fewRows
   * }`, of which any may be absent. `fewRows` is the number of rows up to which decoding at `fast` uses 4-bit weights.
   * Default: `BLIP2_THREADS`, or measured once for this machine and kept for a day; for small models, the number of
   * physical cores that onnxruntime detects, and 4 rows.
   */
  readonly threads?: number | Partial<ThreadChoice>;
  /**
   * Rows of every decoding step: texts that are generated at once, times beams. At `fast` they select the weights of
   * all steps, so that results do not depend on how texts are grouped, and only these are loaded. Default: the rows of
   * the first step of each call do.
   */
  readonly rows?: number;
  /**
   * `inline` (default) runs inference on the calling thread. `worker` runs it in worker threads, so that the event loop
   * of the caller stays free. `process` runs it in child processes, so that a crash of native code or an out-of-memory
   * kill fails the calls in progress with `WORKER_FAILED` instead of ending the program. Workers and processes that end
   * are replaced.
   */
  readonly isolate?: Isolation;
  /**
   * Threads or processes to use instead of new ones; `isolate` is then ignored. The model disposes of them; if loading
   * fails, the caller does.
   */
  readonly hosts?: ModelHosts;
  /**
   * Whether more than one input will be processed. Weights that an earlier run has prepacked are then used from the
   * first input on, which makes loading slower and the second input faster. Default: false; they are used from the
   * second input on, or when a model that runs in threads or processes has been idle for a second.
   */
  readonly repeated?: boolean;
  /** Called with the numbers of threads once they are known, before any part is loaded. Not if onnxruntime has its own. */
  readonly onThreads?: (threads: number | Partial<ThreadChoice>) => void;
  /** Creates the sessions of the graphs. For tests and tools, `inline` only. */
  readonly createSession?: SessionFactory;
}

/** The options that one part is loaded with. */
export type LoadedPartOptions = PartOptions & ConversionOptions & AdapterOptions;

const ISOLATION: Readonly<Record<Isolation, true>> = { inline: true, worker: true, process: true };
const PARTS: Readonly<Record<PartWithPrecision, true>> = { vision: true, qformer: true, language: true };

const OWN_OPTIONS: Readonly<Record<Exclude<keyof LoadOptions, keyof ResolveOptions>, true>> = {
  adapters: true,
  convertedDir: true,
  dtype: true,
  device: true,
  threads: true,
  rows: true,
  onThreads: true,
  isolate: true,
  hosts: true,
  repeated: true,
  maxWaiting: true,
  batching: true,
  createSession: true,
};
/** Names of the options of every `fromPretrained`. */
export const LOAD_OPTIONS: readonly string[] = [...Object.keys(OWN_OPTIONS), ...RESOLVE_OPTIONS];

/**
 * Checks the options and returns a function that selects those of one part.
 * @throws Blip2Error `UNSUPPORTED_DTYPE`, `UNKNOWN_OPTION`, `INVALID_ARGUMENT`.
 */
export function partOptions(options: LoadOptions): (part?: PartWithPrecision) => LoadedPartOptions {
  expectKnownOptions('fromPretrained', options, LOAD_OPTIONS, LOAD_REPLACEMENTS);
  const { device, threads, rows, repeated, createSession, convertedDir, isolate, maxWaiting } = options;
  const { signal, onProgress } = options;
  if (isolate !== undefined && !Object.hasOwn(ISOLATION, isolate))
    throw mustBe('isolate', `one of ${Object.keys(ISOLATION).join(', ')}`, isolate);
  if (threads !== undefined) expectThreads(threads);
  if (rows !== undefined && !(Number.isInteger(rows) && rows > 0)) throw mustBe('rows', 'a positive integer', rows);
  if (options.onThreads !== undefined && typeof options.onThreads !== 'function')
    throw mustBe('onThreads', 'a function', options.onThreads);
  if (repeated !== undefined && typeof repeated !== 'boolean') throw mustBe('repeated', 'a boolean', repeated);
  if (maxWaiting !== undefined) expectMaxWaiting(maxWaiting);
  batchingSettings(options.batching);
  namedAdapters(options.adapters);
  const precisions = precisionsByPart(options.dtype);
  const common = defined({ device, threads, repeated, createSession, convertedDir, signal, onProgress });
  return (part) => {
    const dtype = part && precisions[part];
    const own = part === 'language' ? { ...common, ...defined({ rows }) } : common;
    return dtype === undefined ? own : { ...own, dtype };
  };
}

function precisionsByPart(
  dtype: LoadOptions['dtype'] = {},
): Readonly<Partial<Record<PartWithPrecision, PrecisionChoice>>> {
  if (typeof dtype === 'string') {
    const choice = expectPrecision(dtype);
    return { vision: choice, qformer: choice, language: choice };
  }
  const unknown = Object.keys(dtype).find((name) => !Object.hasOwn(PARTS, name));
  if (unknown !== undefined)
    throw new Blip2Error('UNSUPPORTED_DTYPE', 'dtype must name known parts', {
      argument: 'dtype',
      expected: Object.keys(PARTS).join(', '),
      got: unknown,
    });
  for (const [part, choice] of Object.entries(dtype)) expectPrecision(choice, `dtype.${part}`);
  return dtype;
}
