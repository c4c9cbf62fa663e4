import { Blip2Error, type Decoding, type TokenIds } from '@blip2/interfaces';

import { startCachedDecoding } from './cached-decoding.ts';
import type { CachedStep, CachedStepOutput, CachedStepper } from './cached-stepper.ts';
import type { EncoderMemory } from './encoder-memory.ts';

/** One step of a seq2seq decoder: new positions against a cache and the encoder's keys and values. */
export type Seq2SeqStep = CachedStep<EncoderMemory>;
export type Seq2SeqStepOutput = CachedStepOutput;
export type Seq2SeqStepper = CachedStepper<EncoderMemory>;

/** Runs the first ids of the decoder, one row per prompt, and returns the decoding that continues them. */
export async function startSeq2SeqDecoding(
  stepper: Seq2SeqStepper,
  memory: EncoderMemory,
  decoderInputIds: readonly TokenIds[],
): Promise<Decoding> {
  const prompts = memory.attentionMask.length;
  if (decoderInputIds.length !== prompts) {
    throw new Blip2Error('SHAPE_MISMATCH', 'decoderInputIds must have one row per prompt', {
      where: 'decoderInputIds',
      expected: String(prompts),
      got: String(decoderInputIds.length),
    });
  }
  return startCachedDecoding(
    stepper,
    memory,
    await stepper.embed(decoderInputIds),
    decoderInputIds.map((row) => row.map(() => 1)),
  );
}
