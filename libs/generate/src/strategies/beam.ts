/** A sequence in progress of a beam search. */
export interface Beam {
  /** Ids that processors receive: those of the prompt, then the new ones. */
  readonly ids: readonly number[];
  readonly newIds: readonly number[];
  readonly logProbs: readonly number[];
  /** For each new token, the row of logits that it was selected from. */
  readonly beamIndices: readonly number[];
  /** Sum of the processed log-probabilities, in float32. */
  readonly score: number;
  /** Row of the decoding that holds the beam. */
  source: number;
}

/** A beam extended by one token. */
export interface Candidate {
  readonly beam: Beam;
  /** Row of logits that the token was selected from. */
  readonly row: number;
  readonly id: number;
  /** Log-probability that the model assigned to the token, before any processor. */
  readonly logProb: number;
  /** Sum of the processed log-probabilities, this token included. */
  readonly score: number;
}

/** The beam that a candidate becomes. */
export function extendBeam({ beam, row, id, logProb, score }: Candidate): Beam {
  return {
    ids: [...beam.ids, id],
    newIds: [...beam.newIds, id],
    logProbs: [...beam.logProbs, logProb],
    beamIndices: [...beam.beamIndices, row],
    score,
    source: beam.source,
  };
}
