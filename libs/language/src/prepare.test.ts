import { OptConfig, T5Config } from '@blip2/config';
import type { OnnxModel, Session, SessionOptions, Signature } from '@blip2/interfaces';
import { createSession } from '@blip2/runtime';
import { expect, test } from 'vitest';

import { OptForCausalLM } from './opt/opt-for-causal-lm.ts';
import { T5ForConditionalGeneration } from './t5/t5-for-conditional-generation.ts';

const opt = OptConfig.create({
  hiddenSize: 32,
  ffnDim: 64,
  numHiddenLayers: 2,
  numAttentionHeads: 2,
  wordEmbedProjDim: 32,
  vocabSize: 50,
  maxPositionEmbeddings: 40,
});
const t5 = T5Config.create({
  dModel: 32,
  dFf: 64,
  dKv: 16,
  numLayers: 2,
  numDecoderLayers: 2,
  numHeads: 2,
  vocabSize: 50,
  decoderStartTokenId: 0,
});

test.each([
  ['OPT', 'fast', ['opt_embedding', 'opt_decoder', 'opt_decoder'], OptForCausalLM.fromConfig.bind(undefined, opt)],
  ['OPT', 'fp32', ['opt_embedding', 'opt_decoder'], OptForCausalLM.fromConfig.bind(undefined, opt)],
  [
    'T5',
    'fast',
    ['t5_embedding', 't5_encoder', 't5_cross', 't5_decoder'],
    T5ForConditionalGeneration.fromConfig.bind(undefined, t5),
  ],
] as const)(
  '%s at %s: prepare creates the sessions of a prompt and its tokens, once',
  async (_name, dtype, graphs, fromConfig) => {
    const made: string[] = [];
    const noting = <S extends Signature>(model: OnnxModel<S>, options?: SessionOptions): Promise<Session<S>> => {
      made.push(model.name);
      return createSession(model, options);
    };
    await using model = await fromConfig({ seed: 1, dtype, createSession: noting });
    await model.prepare?.();
    expect(made).toEqual(graphs);
    const inputsEmbeds = await model.embed([[3, 4, 5, 6, 7]]);
    await using decoding = await model.start({ inputsEmbeds, attentionMask: [[1, 1, 1, 1, 1]] });
    await decoding.extend({ ids: [[8]] });
    expect(made).toEqual(graphs);
  },
);
