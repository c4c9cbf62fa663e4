import type { ConversionOptions } from '@blip2/checkpoint';
import type { ResolveOptions } from '@blip2/hub';
import { Blip2Error, type PrecisionChoice, type SessionFactory } from '@blip2/interfaces';
import { expectPrecision } from '@blip2/onnx';
import type { PartOptions } from '@blip2/runtime';

/** The parts that may differ in precision. Projections and heads are small and stay `fp32`. */
export type PartWithPrecision = 'vision' | 'qformer' | 'language';

/** Options of every `fromPretrained` of this package. */
export interface LoadOptions extends ResolveOptions, Pick<ConversionOptions, 'convertedDir'> {
  /**
   * Precision of the weights, for all parts or by part. `fp32`, the default, reads float32 checkpoints where they lie;
   * others are made from the checkpoint once and kept
   * in a cache. `fast`: 8 bits, and 4 bits besides where the language model writes token by token. `small`: 4 bits, and
   * 8 for the feed-forward layers of the vision encoder.
   */
  readonly dtype?: PrecisionChoice | Readonly<Partial<Record<PartWithPrecision, PrecisionChoice>>>;
  /** Execution provider. Default `cpu`. */
  readonly device?: string;
  /**
   * Threads within one operator; the parts run one after another and share them. Default: measured once for each
   * machine
   * and kept for a day, unless the weights are small: then the physical cores that onnxruntime sees.
   */
  readonly threads?: number;
  /**
   * `worker` keeps inference off the calling thread, so that its event loop stays free; `inline` (default) runs on it.
   */
  readonly isolate?: 'inline' | 'worker';
  /** Loads the graphs; for tests and tools, `inline` only. */
  readonly createSession?: SessionFactory;
}

/** What one part is loaded with. */
export type LoadedPartOptions = PartOptions & ConversionOptions;

const PARTS: Readonly<Record<PartWithPrecision, true>> = { vision: true, qformer: true, language: true };

/** Options of the reference's `from_pretrained`, in the spelling of this package, and what to use here. */
const ELSEWHERE: Readonly<Record<string, string>> = {
  loadIn8bit: "Use dtype: 'int8', or 'fast'",
  loadIn4bit: "Use dtype: 'q4', or 'small'",
  torchDtype: 'Use dtype',
};

/**
 * The options that go to each part, after checking them. @throws Blip2Error `UNSUPPORTED_DTYPE`, `UNKNOWN_OPTION`,
 * `INVALID_ARGUMENT`.
 */
export function partOptions(options: LoadOptions): (part?: PartWithPrecision) => LoadedPartOptions {
  const { device, threads, createSession, convertedDir, signal, onProgress } = options;
  for (const [name, fix] of Object.entries(ELSEWHERE)) {
    if (name in options) throw new Blip2Error('UNKNOWN_OPTION', 'There is no such option', { where: name, fix });
  }
  if (threads !== undefined && !(Number.isInteger(threads) && threads > 0)) {
    throw new Blip2Error('INVALID_ARGUMENT', 'Impossible number of threads', {
      where: 'threads',
      expected: 'a whole number above 0',
      got: String(threads),
    });
  }
  const precisions = precisionsByPart(options.dtype);
  const common = {
    ...(device !== undefined && { device }),
    ...(threads !== undefined && { threads }),
    ...(createSession && { createSession }),
    ...(convertedDir !== undefined && { convertedDir }),
    ...(signal && { signal }),
    ...(onProgress && { onProgress }),
  };
  return (part) => {
    const dtype = part && precisions[part];
    return dtype === undefined ? common : { ...common, dtype };
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
    throw new Blip2Error('UNSUPPORTED_DTYPE', 'There is no such part', {
      argument: 'dtype',
      where: 'dtype',
      expected: Object.keys(PARTS).join(', '),
      got: unknown,
    });
  for (const [part, choice] of Object.entries(dtype)) expectPrecision(choice, `dtype.${part}`);
  return dtype;
}
