import type { IncomingMessage } from 'node:http';

import type { ServedRepository } from './served-repository.ts';

/** What goes wrong with one response. */
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
/** Every fault that the server can produce. */
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

/** A request that the server received. */
export interface ServedRequest {
  readonly host: 'hub' | 'storage';
  readonly method: string;
  readonly path: string;
  readonly headers: IncomingMessage['headers'];
  /** Bytes of the body that were passed to the operating system. */
  sent: number;
}

/** What the server serves, and how it fails. */
export interface HubServerOptions {
  readonly repositories?: Readonly<Record<string, ServedRepository>>;
  /** Called for each request of a file. */
  readonly fault?: (request: ServedRequest) => Fault | undefined;
  /** Bytes per write and the pause after each, in ms. */
  readonly pace?: { readonly bytes: number; readonly pause: number };
  readonly pageSize?: number;
  readonly largeFrom?: number;
  readonly token?: string;
}

/** A running test server. */
export interface HubServer extends AsyncDisposable {
  /** For `HF_ENDPOINT`. */
  readonly endpoint: string;
  readonly storage: string;
  readonly requests: readonly ServedRequest[];
  /** May be replaced while the server runs. */
  options: HubServerOptions;
  close(): Promise<void>;
}
