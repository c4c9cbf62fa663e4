/** What a graph has as outputs in addition to its final hidden states, and which image sizes it accepts. */
export interface VisionRequest {
  readonly hiddenStates: boolean;
  readonly attentions: boolean;
  readonly interpolatePosEncoding: boolean;
}

/** The request of `encode`: the final hidden states alone. */
export const FINAL_STATES: VisionRequest = { hiddenStates: false, attentions: false, interpolatePosEncoding: false };
