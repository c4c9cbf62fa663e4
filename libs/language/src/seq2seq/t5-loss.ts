/** The loss of T5 over targets after an encoded prefix, and its gradient with respect to the prefix. */
import type { Seq2SeqConfig } from '@blip2/config';
import {
  f32,
  i64,
  type LossAndGradient,
  type LossOptions,
  type TokenEmbeddings,
  type TokenIds,
} from '@blip2/interfaces';
import { composeGraph, type WrittenModel } from '@blip2/onnx';
import type { PartWeights } from '@blip2/part';
import type { LazySessions } from '@blip2/runtime';

import { LOGITS } from '../decoder-outputs.ts';
import { causalBias } from '../decoding/causal-bias.ts';
import { paddingBias } from '../decoding/padding-bias.ts';
import { indexTensor, range } from '../language-inputs.ts';
import { expectLossRows, filledEmbeddings, filledMask, filledRows, labelTensor } from '../loss/loss-rows.ts';
import { joinedInputs, lossOutputs, runLoss } from '../loss/loss-session.ts';
import { relativeBuckets } from './relative-buckets.ts';
import { buildT5Decoder } from './t5-decoder-graph.ts';
import { buildT5Cross, buildT5Encoder } from './t5-encoder-graph.ts';
import { shiftRight } from './t5-forward.ts';
import { FINAL_STATES, type T5Sessions } from './t5-sessions.ts';

/** Prefix and prompt are encoded; the targets are those of the decoder. Both are filled up on the right. */
export async function t5LossAndGradient(
  config: Seq2SeqConfig,
  weights: PartWeights,
  sessions: LazySessions,
  embed: T5Sessions['embed'],
  prefix: TokenEmbeddings,
  targets: readonly TokenIds[],
  options: LossOptions,
): Promise<LossAndGradient> {
  const { dModel, vocabSize, relativeAttentionNumBuckets, relativeAttentionMaxDistance } = config;
  const rows = expectLossRows({ embeddingSize: dModel, vocabSize }, prefix, targets, options);
  const mask = filledMask(rows.prefixMask, rows.prompts);
  const labels = labelTensor(rows.targets);
  const [batch, target] = labels.dims;
  const buckets = (length: number, bidirectional: boolean): ReturnType<typeof relativeBuckets> =>
    relativeBuckets(range(length), range(length), {
      numBuckets: relativeAttentionNumBuckets,
      maxDistance: relativeAttentionMaxDistance,
      bidirectional,
    });
  const session = await sessions.get('loss', () => buildT5Loss(config, weights));
  return runLoss(
    session,
    {
      prefix_embeds: prefix,
      text_embeds: await filledEmbeddings(embed, rows.prompts, dModel),
      encoder_buckets: buckets(mask[0]?.length ?? 0, true),
      encoder_bias: paddingBias(mask, 1),
      decoder_embeds: await embed(filledRows(shiftRight(config, rows.targets), 0)),
      decoder_buckets: buckets(target, false),
      // Padding is on the right, and no position attends to later ones.
      decoder_bias: causalBias(
        Array.from({ length: batch }, () => new Array<number>(target).fill(1)),
        0,
        0,
        target,
      ),
      cross_bias: paddingBias(mask, target),
      logit_positions: indexTensor(range(target)),
      labels,
    },
    rows.targets,
  );
}

function buildT5Loss(config: Seq2SeqConfig, { store, prefix: path }: PartWeights): WrittenModel {
  return composeGraph('t5_loss', store, (composition) => {
    const { input, write } = composition;
    const { prefix, joined } = joinedInputs(composition, config.dModel);
    const encoded = write((weights) => buildT5Encoder(config, weights, path, FINAL_STATES), {
      inputs_embeds: joined,
      relative_buckets: input('encoder_buckets', i64('source', 'source')),
      attention_bias: input('encoder_bias', f32('batch', 1, 1, 'source')),
    });
    const cross = write((weights) => buildT5Cross(config, weights, path), {
      encoder_hidden_states: encoded.last_hidden_state,
    });
    const { logits } = write((weights) => buildT5Decoder(config, weights, path, LOGITS), {
      inputs_embeds: input('decoder_embeds', f32('batch', 'sequence', config.dModel)),
      relative_buckets: input('decoder_buckets', i64('sequence', 'sequence')),
      attention_bias: input('decoder_bias', f32('batch', 1, 'sequence', 'sequence')),
      ...cross,
    });
    return lossOutputs(composition, logits, prefix);
  });
}
