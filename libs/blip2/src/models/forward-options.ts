import type { QFormerOutput } from '@blip2/qformer';
import type { OptionallyPooledOutput } from '@blip2/vision';

import type { PromptOutput, TargetInputs } from './forward-prompt.ts';

/** Requested outputs of `forward`. The first two default to the configuration. */
export interface ForwardOptions {
  /** Hidden states of every layer of the parts that run. */
  readonly outputHiddenStates?: boolean;
  /** Attention maps of every layer of the parts that run. */
  readonly outputAttentions?: boolean;
  /** Accept images of another size than the encoder's. Default: false. */
  readonly interpolatePosEncoding?: boolean;
  /** Return the key-value cache of the language model, `languageModelOutputs.pastKeyValues`. Default: false. */
  readonly useCache?: boolean;
}

/** Names of the options of `forward`. */
export const FORWARD_OPTIONS: Readonly<Record<keyof ForwardOptions, true>> = {
  outputHiddenStates: true,
  outputAttentions: true,
  interpolatePosEncoding: true,
  useCache: true,
};
/** Names of the inputs of `forward` that `generate` does not have. */
export const TARGETS: Readonly<Record<keyof TargetInputs, true>> = {
  labels: true,
  decoderInputIds: true,
  decoderAttentionMask: true,
};

/** Output of `forward`, from images to logits. */
export interface ForwardOutput extends PromptOutput {
  /** Absent if the input was a visual prefix; so is `qformerOutputs`. */
  readonly visionOutputs?: OptionallyPooledOutput;
  /** Of the queries, `lastHiddenState` `[batch, queries, hidden]`; with InstructBLIP followed by the instruction. */
  readonly qformerOutputs?: QFormerOutput;
}
