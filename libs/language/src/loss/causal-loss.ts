/** The loss of a decoder-only model over targets after a prefix, and its gradient with respect to the prefix. */
import {
  type LanguageModel,
  type LossAndGradient,
  type LossOptions,
  mustBe,
  type TokenEmbeddings,
  type TokenIds,
} from '@blip2/interfaces';
import { composeGraph, type WrittenModel } from '@blip2/onnx';
import type { LazySessions } from '@blip2/runtime';

import type { CausalArchitecture } from '../causal/causal-architecture.ts';
import { IGNORED_LABEL } from '../causal/cross-entropy.ts';
import { windowFeed } from '../causal/window.ts';
import { LOGITS } from '../decoder-outputs.ts';
import { causalBias } from '../decoding/causal-bias.ts';
import { expectPrompt } from '../decoding/expect-prompt.ts';
import { indexTensor, range } from '../language-inputs.ts';
import { expectLossRows, filledEmbeddings, filledMask, labelTensor } from './loss-rows.ts';
import { joinedInputs, lossOutputs, runLoss } from './loss-session.ts';

/**
 * Rows are prefix, prompt and targets, filled up on the right, where nothing attends to the padding. The logits of a
 * position score the id after it.
 */
export async function causalLossAndGradient(
  architecture: CausalArchitecture,
  sessions: LazySessions,
  embed: LanguageModel['embed'],
  prefix: TokenEmbeddings,
  targets: readonly TokenIds[],
  options: LossOptions,
): Promise<LossAndGradient> {
  const { sizes, maxPositions, window } = architecture;
  const rows = expectLossRows(sizes, prefix, targets, options);
  const { prompts } = rows;
  const [, positions, width] = prefix.dims;
  const unpreceded = prompts.findIndex(({ length }) => positions + length === 0);
  if (unpreceded >= 0) throw mustBe(`promptIds[${unpreceded}]`, 'at least one id, since the prefix is empty', 'none');
  // Nothing follows the last target, so that it is not an input.
  const texts = prompts.map((prompt, row) => [...prompt, ...(rows.targets[row] ?? []).slice(0, -1)]);
  const mask = filledMask(rows.prefixMask, texts);
  const sequence = mask[0]?.length ?? 0;
  expectPrompt(mask, [mask.length, sequence, width], maxPositions);
  const first = positions - 1 + Math.min(...prompts.map(({ length }) => length));
  const labels = prompts.map(({ length }, row) => [
    ...new Array<number>(positions - 1 + length - first).fill(IGNORED_LABEL),
    ...(rows.targets[row] ?? []),
  ]);
  const labelled = labelTensor(labels);
  const bias = causalBias(mask, 0, 0, sequence);
  const session = await sessions.get('loss', () => buildCausalLoss(architecture));
  return runLoss(
    session,
    {
      prefix_embeds: prefix,
      text_embeds: await filledEmbeddings(embed, texts, width),
      ...architecture.positionInputs(mask, sequence, 'decoding'),
      attention_bias: bias,
      ...windowFeed(bias, { mask, use: 'decoding', window }),
      logit_positions: indexTensor(range(labelled.dims[1]).map((index) => first + index)),
      labels: labelled,
    },
    rows.targets,
  );
}

function buildCausalLoss(architecture: CausalArchitecture): WrittenModel {
  const { sizes, stores } = architecture;
  return composeGraph('causal_loss', stores.prefill, (composition) => {
    const { prefix, joined } = joinedInputs(composition, sizes.embeddingSize);
    const { logits } = composition.write((weights) => architecture.buildDecoder(LOGITS, weights), {
      inputs_embeds: joined,
    });
    return lossOutputs(composition, logits, prefix);
  });
}
