import type { AttentionMask, Decoding, TokenEmbeddings } from '@blip2/interfaces';

import { startCachedDecoding } from './cached-decoding.ts';
import type { CachedStep, CachedStepOutput, CachedStepper } from './cached-stepper.ts';
import { expectEndsUnpadded, expectPrompt } from './expect-prompt.ts';

/** One step of a causal model: new positions against a cache. */
export type CausalStep = Omit<CachedStep<unknown>, 'memory'>;
export type CausalStepOutput = CachedStepOutput;

/** What a causal language model supplies for decoding. */
export interface CausalStepper extends Omit<CachedStepper<unknown>, 'step'> {
  step(step: CausalStep): Promise<CausalStepOutput>;
  /** Whether rows of different lengths do not depend on each other, so that decodings can be joined. Default: false. */
  readonly isJoinable?: boolean;
}

interface NoMemory {
  pick(): NoMemory;
  readonly join?: () => NoMemory;
}
const NO_MEMORY: NoMemory = { pick: () => NO_MEMORY };
const JOINABLE: NoMemory = { pick: () => JOINABLE, join: () => JOINABLE };

/**
 * Runs a prompt and returns the decoding that continues it.
 * @throws Blip2Error `INVALID_ARGUMENT` if a row ends in padding; the codes of `expectPrompt`.
 */
export async function startCausalDecoding(
  stepper: CausalStepper,
  inputsEmbeds: TokenEmbeddings,
  attentionMask: AttentionMask,
): Promise<Decoding> {
  expectPrompt(attentionMask, inputsEmbeds.dims, stepper.maxPositions);
  expectEndsUnpadded(attentionMask);
  return startCachedDecoding<NoMemory>(
    stepper,
    stepper.isJoinable === true ? JOINABLE : NO_MEMORY,
    inputsEmbeds,
    attentionMask,
  );
}
