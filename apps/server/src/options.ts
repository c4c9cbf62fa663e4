import type { LoadOptions } from '@blip2/blip2';
import { mustBe } from '@blip2/interfaces';

import type { NamedSource } from './models/model-entry.ts';
import type { ImageLimits } from './requests/image-reader.ts';

/** How models are loaded. They always run in child processes. */
export type ServedLoadOptions = Pick<
  LoadOptions,
  'dtype' | 'device' | 'threads' | 'revision' | 'localFilesOnly' | 'cacheDir' | 'token' | 'isolate'
>;

/** Limits of a server. Everything that a client can enlarge has one. */
export interface ServerLimits extends ImageLimits {
  /** Bytes of a body. */
  readonly maxBodyBytes: number;
  /** New tokens of one text. Requests for more get this many. */
  readonly maxNewTokens: number;
  /** Texts of one request: choices, questions, candidates, texts to embed. */
  readonly maxTexts: number;
  /** Requests that use one model at the same time: their texts are generated together. */
  readonly maxRunning: number;
  /** Images that are encoded together. The first token of a request waits for one such batch. */
  readonly maxBatchImages: number;
  /** Bytes of encoded images, and of prompts about them, that are kept for later requests. 0: none. */
  readonly imageCacheBytes: number;
  /** Requests that wait for one model. */
  readonly maxWaiting: number;
  /** Milliseconds until a request is ended, its time in the queue included. */
  readonly requestTimeoutMs: number;
  /** Milliseconds without any progress of a model until it is replaced. */
  readonly hangTimeoutMs: number;
  /** Milliseconds without any progress of a model that is being loaded until it is given up. */
  readonly loadTimeoutMs: number;
  /** Milliseconds that requests in progress have to finish when the server ends. */
  readonly shutdownMs: number;
  /** Bytes of weight files in memory. */
  readonly maxModelBytes: number;
}

/** Options of a server. */
export interface ServerOptions {
  /** The models that clients can name; the first one is the default. */
  readonly models: readonly NamedSource[];
  readonly load?: ServedLoadOptions;
  readonly limits?: Partial<ServerLimits>;
  /** Milliseconds without a request after which a model is unloaded. Default: never. */
  readonly keepAliveMs?: number;
  /** The key that requests must have. Default: none. */
  readonly apiKey?: string;
  /** Origins of web pages that may use the server, or `*`. Default: its own. */
  readonly corsOrigins?: readonly string[];
  /** Called with each request when it has ended. */
  readonly onRequest?: (entry: RequestEntry) => void;
  /** Called with unexpected errors. */
  readonly onError?: (error: unknown) => void;
  /** Include prompts in `onRequest`. Default: false. */
  readonly logPrompts?: boolean;
}

/** A request that has ended, for logs. Without prompts and images unless they were asked for. */
export interface RequestEntry {
  readonly time: string;
  readonly id: string;
  readonly method: string;
  readonly path: string;
  readonly status: number;
  readonly milliseconds: number;
  readonly code?: string;
  readonly model?: string;
  readonly images?: number;
  readonly promptTokens?: number;
  readonly newTokens?: number;
  readonly firstTokenMs?: number;
  readonly encodeMs?: number;
  readonly finishReason?: string;
  readonly prompt?: string;
}

const MB = 1_000_000;

/** The limits of a server that is not told others. */
export const DEFAULT_LIMITS: ServerLimits = {
  maxBodyBytes: 20 * MB,
  maxPixels: 50 * MB,
  maxImages: 16,
  allowUrls: false,
  maxNewTokens: 256,
  maxTexts: 256,
  maxRunning: 16,
  maxBatchImages: 4,
  imageCacheBytes: 500 * MB,
  maxWaiting: 64,
  requestTimeoutMs: 300_000,
  hangTimeoutMs: 120_000,
  loadTimeoutMs: 300_000,
  shutdownMs: 30_000,
  maxModelBytes: Infinity,
};

const MAY_BE_ZERO: ReadonlySet<string> = new Set<keyof ServerLimits>(['maxWaiting', 'imageCacheBytes']);
const WHOLE: ReadonlySet<string> = new Set<keyof ServerLimits>(['maxRunning', 'maxBatchImages']);

/**
 * The limits with their defaults.
 * @throws Blip2Error `INVALID_ARGUMENT` for a limit that is not a positive number.
 */
export function serverLimits(given: Partial<ServerLimits> = {}): ServerLimits {
  for (const [name, value] of Object.entries(given)) {
    const least = MAY_BE_ZERO.has(name) ? 0 : Number.MIN_VALUE;
    if (typeof value === 'number' && !(value >= least)) throw mustBe(name, 'a positive number', value);
    if (WHOLE.has(name) && !Number.isInteger(value)) throw mustBe(name, 'a positive integer', value);
  }
  return { ...DEFAULT_LIMITS, ...given };
}
