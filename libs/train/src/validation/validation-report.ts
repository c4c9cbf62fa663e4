/** A validation during a run. */
export interface ValidationReport {
  /** Steps that had been made. */
  readonly step: number;
  readonly loss: number;
  /** Share of the texts that were generated exactly, 0 to 1. */
  readonly exactMatch: number;
  /** CIDEr-D of the captions against all captions of their images, 0 to 10; absent without captions. */
  readonly cider?: number;
  /** Whether it is the best so far: more texts right, or as many at a lower loss. */
  readonly isBest: boolean;
  /** Whether the run ends, because there was no better one for `patience` validations. */
  readonly isLast: boolean;
  /** The first of the texts. */
  readonly samples: readonly ValidationSample[];
}

/** A text that was generated for a validation. */
export interface ValidationSample {
  readonly image: string;
  readonly question?: string;
  readonly expected: string;
  readonly generated: string;
}
