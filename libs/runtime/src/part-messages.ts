import type { ErrorData } from './error-transfer.ts';

/**
 * What the host asks of its worker; answered by one `Reply` with the same `id`. Arguments are encoded
 * (`value-transfer.ts`).
 */
export type Request =
  | { readonly type: 'import'; readonly id: number; readonly module: string }
  | {
      readonly type: 'create';
      readonly id: number;
      readonly module: string;
      readonly export: string;
      readonly args: unknown;
    }
  | {
      readonly type: 'call';
      readonly id: number;
      readonly handle: number;
      readonly method: string;
      readonly args: unknown;
    }
  | { readonly type: 'dispose'; readonly id: number; readonly handle: number };

/** What the host tells its worker, without an answer. Heard between runs, before the next request begins. */
export type Notice =
  | { readonly type: 'abort'; readonly signal: number; readonly reason: ErrorData }
  | { readonly type: 'release'; readonly signals: readonly number[] }
  /** Finish the request in progress, refuse the others, dispose of everything, exit. */
  | { readonly type: 'end' };

/** The outcome of a request, and what has changed in the parts concerned. */
export type Reply =
  | { readonly type: 'returned'; readonly id: number; readonly value: unknown; readonly parts: readonly PartSnapshot[] }
  /** `signal` names the signal whose abort reason was thrown: the caller gets its own object back. */
  | {
      readonly type: 'threw';
      readonly id: number;
      readonly error: ErrorData;
      readonly signal: number | undefined;
      readonly parts: readonly PartSnapshot[];
    };

/** What the worker tells the host unasked. */
export type Report =
  | { readonly type: 'callback'; readonly callback: number; readonly args: unknown }
  | { readonly type: 'ended'; readonly error: ErrorData | undefined };

/**
 * A part as the host shows it: `methods` once, and those data properties that are new or differ from what was sent
 * before.
 */
export interface PartSnapshot {
  readonly handle: number;
  readonly methods: readonly string[] | undefined;
  readonly properties: Readonly<Record<string, unknown>>;
  /** Properties whose getters threw a `Blip2Error`, as they do now. */
  readonly failures: Readonly<Record<string, ErrorData>>;
}
