/** Progress of loading a model. */
export interface LoadProgress {
  /** `convert`: weights of another precision are converted on first use. */
  readonly stage: 'download' | 'convert';
  /** The file: as the repository names it, or the converted one. */
  readonly file: string;
  /** Bytes of this file downloaded or converted so far. */
  readonly loaded: number;
  /** Bytes of this file in total. */
  readonly total: number;
}
