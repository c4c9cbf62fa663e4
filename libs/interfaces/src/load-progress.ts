/** Progress of loading a model. */
export interface LoadProgress {
  /** `convert`: weights are converted to another precision, on first use. `export`: weights are written to a file. */
  readonly stage: 'download' | 'convert' | 'export';
  /** The downloaded file, relative to its repository, or the name of the converted or exported file. */
  readonly file: string;
  /** Bytes of this file downloaded, converted or written so far. */
  readonly loaded: number;
  /** Size of this file in bytes. */
  readonly total: number;
}
