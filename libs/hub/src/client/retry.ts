import type { Blip2Error } from '@blip2/interfaces';

import type { HubIo } from './hub-io.ts';

/** Result of one attempt: a value or a transient failure. Permanent failures are thrown. */
export type Attempt<T> = { readonly value: T } | Transient;

/** A failure after which a retry may succeed. */
export interface Transient {
  readonly failure: Blip2Error;
  /** Milliseconds to wait, as requested by the server. */
  readonly retryAfter?: number;
  /** Whether the attempt made progress. Then the count of failures starts over. */
  readonly progressed?: boolean;
}

/** Creates a transient failure. */
export function transient(failure: Blip2Error, details: Omit<Transient, 'failure'> = {}): Transient {
  return { failure, ...details };
}

/** How `withRetries` retries. */
export interface RetryOptions {
  readonly io: Pick<HubIo, 'sleep' | 'random'>;
  readonly signal: AbortSignal | undefined;
  /** Maximum number of consecutive failures. */
  readonly attempts: number;
}

/** Milliseconds before the first retry. Doubles with each failure. */
const FIRST_DELAY = 500;
const MAX_DELAY = 20_000;
/** Maximum wait in milliseconds that a server may request. Beyond it, the failure is reported instead. */
const MAX_RETRY_AFTER = 300_000;

/**
 * Retries until there is a value, with exponential backoff and jitter, or after the delay requested by the server.
 * @throws the last failure; the signal's reason.
 */
export async function withRetries<T>(
  attempt: () => Promise<Attempt<T>>,
  { io, signal, attempts }: RetryOptions,
): Promise<T> {
  for (let failures = 1; ; failures++) {
    const result = await attempt();
    if ('value' in result) return result.value;
    if (result.progressed === true) failures = 1;
    const { failure, retryAfter } = result;
    if (failures >= attempts || (retryAfter !== undefined && retryAfter > MAX_RETRY_AFTER)) throw failure;
    await io.sleep(retryAfter ?? backoff(failures, io.random()), signal);
    signal?.throwIfAborted();
  }
}

/** Half of the delay is fixed and half random, so that many clients do not retry at the same time. */
function backoff(failures: number, random: number): number {
  return Math.min(MAX_DELAY, FIRST_DELAY * 2 ** (failures - 1)) * (0.5 + random / 2);
}

/**
 * The `Retry-After` header in milliseconds, given as seconds or as a date. A date is compared with the `Date` of the
 * same response: our clock may be wrong.
 */
export function retryAfter(headers: Headers, now: number = Date.now()): number | undefined {
  const value = headers.get('retry-after')?.trim();
  if (value === undefined) return undefined;
  const sent = Date.parse(headers.get('date') ?? '');
  const milliseconds = /^\d+(?:\.\d+)?$/.test(value)
    ? 1000 * Number(value)
    : Date.parse(value) - (Number.isNaN(sent) ? now : sent);
  return Number.isNaN(milliseconds) ? undefined : Math.max(0, milliseconds);
}
