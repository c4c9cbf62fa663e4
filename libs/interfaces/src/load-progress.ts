/** Progress of loading a model. */
export interface LoadProgress {
  /** `convert`: weights are converted to another precision, on first use. */
  readonly stage: 'download' | 'convert';
  /** The downloaded file, relative to its repository, or the name of the converted file. */
  readonly file: string;
  /** Bytes of this file downloaded or converted so far. */
  readonly loaded: number;
  /** Size of this file in bytes. */
  readonly total: number;
}
