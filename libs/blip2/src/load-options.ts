import { Blip2Error, type SessionFactory } from '@blip2/interfaces';
import type { ResolveOptions } from '@blip2/checkpoint';
import type { PartOptions } from '@blip2/runtime';

/** Options of every `fromPretrained` of this package. */
export interface LoadOptions extends ResolveOptions {
  /** Precision of the weights. `fp32`, the default, reads float32 checkpoints where they lie. */
  readonly dtype?: 'fp32';
  /** Execution provider. Default `cpu`. */
  readonly device?: string;
  /** Threads within one operator; the parts run one after another and share them. Default: the physical cores. */
  readonly threads?: number;
  /** `worker` keeps inference off the calling thread, so that its event loop stays free; `inline` (default) runs on it. */
  readonly isolate?: 'inline' | 'worker';
  /** Loads the graphs; for tests and tools, `inline` only. */
  readonly createSession?: SessionFactory;
}

/** What people ask for elsewhere, and what to use here. */
const OTHER_PRECISIONS: Readonly<Record<string, string>> = {
  fp16: 'Half precision brings nothing on a CPU; float16 checkpoints load as they are with fp32',
  bf16: 'bfloat16 brings nothing on a CPU; bfloat16 checkpoints load as they are with fp32',
};

/** The options that go to each part, after checking them. @throws Blip2Error `UNSUPPORTED_DTYPE`, `INVALID_ARGUMENT`. */
export function partOptions({ dtype = 'fp32', device, threads, createSession }: LoadOptions): PartOptions {
  if (dtype !== 'fp32') throw new Blip2Error('UNSUPPORTED_DTYPE', 'This precision is not offered', { expected: 'fp32', got: String(dtype), fix: OTHER_PRECISIONS[dtype] ?? 'Use dtype fp32' });
  if (threads !== undefined && !(Number.isInteger(threads) && threads > 0)) {
    throw new Blip2Error('INVALID_ARGUMENT', 'Impossible number of threads', { where: 'threads', expected: 'a whole number above 0', got: String(threads) });
  }
  return { ...(device !== undefined && { device }), ...(threads !== undefined && { threads }), ...(createSession && { createSession }) };
}
