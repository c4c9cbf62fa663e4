import type { IncomingMessage } from 'node:http';

import type { ServedRepository } from './served-repository.ts';

/**
 * A fault of one response. Damaged bodies: `flip` (one bit inverted), `short` and `long` (wrong number of bytes), `cut`
 * (connection closed), `stuck` (no more data), `trickle` (one byte per 20 ms), `gzip` (compressed). Wrong ranges:
 * `ignore-range`, `wrong-range`. HTML instead of the file: `html`, `html-status`. Error statuses: `throttle` (429),
 * `unavailable` (503), `expired` (403 of the storage, 500 of the Hub).
 */
export type Fault =
  | 'flip'
  | 'short'
  | 'cut'
  | 'long'
  | 'ignore-range'
  | 'wrong-range'
  | 'html'
  | 'html-status'
  | 'gzip'
  | 'throttle'
  | 'unavailable'
  | 'expired'
  | 'stuck'
  | 'trickle';
/** All faults. */
export const FAULTS: readonly Fault[] = [
  'flip',
  'short',
  'cut',
  'long',
  'ignore-range',
  'wrong-range',
  'html',
  'html-status',
  'gzip',
  'throttle',
  'unavailable',
  'expired',
  'stuck',
  'trickle',
];

/** A received request. */
export interface ServedRequest {
  /** The server that received it. */
  readonly host: 'hub' | 'storage';
  readonly method: string;
  readonly path: string;
  readonly headers: IncomingMessage['headers'];
  /** Bytes of the response body that were passed to the operating system. */
  sent: number;
}

/** Contents and faults of the server. */
export interface HubServerOptions {
  /** Repositories by id. */
  readonly repositories?: Readonly<Record<string, ServedRepository>>;
  /** Called for each request of a file; returns the fault of its response, if any. */
  readonly fault?: (request: ServedRequest) => Fault | undefined;
  /** Bytes per write, and the pause after each write in ms. Default 64 KiB without pause. */
  readonly pace?: { readonly bytes: number; readonly pause: number };
  /** Entries per page of a file list. Default 1000. */
  readonly pageSize?: number;
  /** Minimum size in bytes of files that are served by the storage, as Git LFS files are. Default 1000. */
  readonly largeFrom?: number;
  /** Token that grants access to private and gated repositories. */
  readonly token?: string;
}

/** A running test server. */
export interface HubServer extends AsyncDisposable {
  /** URL of the Hub, for `HF_ENDPOINT`. */
  readonly endpoint: string;
  /** URL of the storage of large files. */
  readonly storage: string;
  /** All requests so far, in order. */
  readonly requests: readonly ServedRequest[];
  /** May be replaced while the server runs. */
  options: HubServerOptions;
  close(): Promise<void>;
}
