import { Blip2Error } from '@blip2/interfaces';

import type { HubIo } from './hub-io.ts';

/** What one try gave: a value, or a failure that may pass. Failures that will not pass are thrown. */
export type Attempt<T> = { readonly value: T } | Transient;

export interface Transient {
  readonly failure: Blip2Error;
  /** Milliseconds that the server asks to wait. */
  readonly retryAfter?: number;
  /** The try was not in vain: the count of failures starts over. */
  readonly progressed?: boolean;
}

export function transient(failure: Blip2Error, details: Omit<Transient, 'failure'> = {}): Transient {
  return { failure, ...details };
}

export interface RetryOptions {
  readonly io: HubIo;
  readonly signal: AbortSignal | undefined;
  /** Failures in a row that are borne. */
  readonly attempts: number;
}

const FIRST_DELAY = 500;
const MAX_DELAY = 20_000;
/** A server that wants more patience than this is told to the user instead. */
const MAX_RETRY_AFTER = 300_000;

/**
 * Tries until there is a value: exponential delays with jitter, or what the server asks for. @throws the last failure,
 * or the signal's reason.
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

/** Half of the delay is certain, half by chance, so that many clients do not come back at once. */
function backoff(failures: number, chance: number): number {
  return Math.min(MAX_DELAY, FIRST_DELAY * 2 ** (failures - 1)) * (0.5 + chance / 2);
}

/** `Retry-After` in milliseconds: seconds, or a date. */
export function retryAfter(headers: Headers, now: number = Date.now()): number | undefined {
  const value = headers.get('retry-after');
  if (value === null) return undefined;
  const milliseconds = /^\d+$/.test(value) ? 1000 * Number(value) : Date.parse(value) - now;
  return Number.isNaN(milliseconds) ? undefined : Math.max(0, milliseconds);
}
