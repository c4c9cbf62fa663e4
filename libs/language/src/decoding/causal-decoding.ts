import type { AttentionMask, Decoding, TokenEmbeddings } from '@blip2/interfaces';

import { type CachedStep, type CachedStepOutput, type CachedStepper, startCachedDecoding } from './cached-decoding.ts';
import { expectEndsUnpadded, expectPrompt } from './expect-prompt.ts';

/** One step of a causal model: new positions against a cache. */
export type CausalStep = Omit<CachedStep<unknown>, 'memory'>;
export type CausalStepOutput = CachedStepOutput;

/** What a causal language model supplies for decoding. */
export interface CausalStepper extends Omit<CachedStepper<unknown>, 'step'> {
  step(step: CausalStep): Promise<CausalStepOutput>;
}

interface NoMemory {
  pick(): NoMemory;
}
const NO_MEMORY: NoMemory = { pick: () => NO_MEMORY };

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
  return startCachedDecoding<NoMemory>(stepper, NO_MEMORY, inputsEmbeds, attentionMask);
}
