import { type Seq2SeqConfig, TextConfig } from '@blip2/config';
import { Blip2Error, expectFinite, expectInputs, type Rows, type TokenIds } from '@blip2/interfaces';
import { expectForwardOptions } from '@blip2/part';
import { asRows } from '@blip2/runtime';

import { crossEntropy, IGNORED_LABEL } from '../causal/cross-entropy.ts';
import { type EncoderMemory, encoderMemory } from '../decoding/encoder-memory.ts';
import { expectPrompt } from '../decoding/expect-prompt.ts';
import type { CacheSize } from '../decoding/key-value-cache.ts';
import {
  crossKeyValues,
  emptyPast,
  pastPositions,
  selfKeyValues,
  type Seq2SeqKeyValue,
  seq2SeqKeyValues,
} from '../decoding/past-key-values.ts';
import { FORWARD_OPTIONS, maskRows, promptEmbeddings } from '../language-inputs.ts';
import type { Seq2SeqLMInputs, Seq2SeqLMOptions, Seq2SeqLMOutput } from './seq2seq-language-model.ts';
import type { T5StackRequest } from './t5-encoder-graph.ts';
import type { T5Sessions } from './t5-sessions.ts';

const INPUTS: readonly string[] = [
  'inputIds',
  'inputsEmbeds',
  'attentionMask',
  'decoderInputIds',
  'decoderAttentionMask',
  'labels',
  'pastKeyValues',
];

/** Every output of HF `T5ForConditionalGeneration`. */
export async function forwardT5(
  config: Seq2SeqConfig,
  sessions: T5Sessions,
  inputs: Seq2SeqLMInputs,
  options: Seq2SeqLMOptions,
): Promise<Seq2SeqLMOutput> {
  expectInputs('forward of the language model', inputs, INPUTS);
  expectForwardOptions('forward of the language model', options, FORWARD_OPTIONS);
  const request = {
    hiddenStates: options.outputHiddenStates ?? config.outputHiddenStates,
    attentions: options.outputAttentions ?? config.outputAttentions,
  };
  const labels = inputs.labels && asRows(inputs.labels, 'labels');
  const ids = decoderIds(config, inputs, labels);
  const { memory, outputs } = await readSource(config, sessions, inputs, request);
  if (!ids) return outputs;
  const decoderEmbeds = await sessions.embed(ids);
  const [batch, target, width] = decoderEmbeds.dims;
  const past = inputs.pastKeyValues ? selfKeyValues(inputs.pastKeyValues) : emptyPast(batch, cacheSizeOf(config));
  const pastLength = pastPositions(past, batch, cacheSizeOf(config));
  const attentionMask = maskRows(inputs.decoderAttentionMask, decoderEmbeds, pastLength);
  expectPrompt(attentionMask, [batch, pastLength + target, width], Infinity);
  const useCache = options.useCache ?? false;
  const crossed = await memory();
  const decoder = await sessions.decode(
    { inputsEmbeds: decoderEmbeds, attentionMask, memory: crossed, past },
    { ...request, cache: useCache || inputs.pastKeyValues !== undefined },
  );
  return {
    logits: expectFinite('language model', decoder.logits),
    ...(labels && { loss: crossEntropy(decoder.logits, labels) }),
    lastHiddenState: decoder.lastHiddenState,
    ...(decoder.hiddenStates && { decoderHiddenStates: decoder.hiddenStates }),
    ...(decoder.attentions && { decoderAttentions: decoder.attentions }),
    ...(decoder.crossAttentions && { crossAttentions: decoder.crossAttentions }),
    ...(useCache && decoder.selfKeyValues && { pastKeyValues: seq2SeqKeyValues(decoder.selfKeyValues, crossed) }),
    ...outputs,
  };
}

/** The input of the decoder; undefined if only the encoder runs. */
function decoderIds(
  config: Seq2SeqConfig,
  { decoderInputIds, pastKeyValues }: Seq2SeqLMInputs,
  labels: readonly TokenIds[] | undefined,
): readonly TokenIds[] | undefined {
  if (decoderInputIds) return asRows(decoderInputIds, 'decoderInputIds');
  // Labels follow the start token, which is part of the past.
  if (pastKeyValues)
    throw new Blip2Error('INVALID_ARGUMENT', 'decoderInputIds is required with pastKeyValues', {
      where: 'decoderInputIds',
      expected: 'the new positions',
      got: 'nothing',
    });
  return labels && shiftRight(config, labels);
}

interface ReadSource {
  /** Keys and values of the cross-attention, computed on demand. */
  memory(): Promise<EncoderMemory>;
  readonly outputs: Pick<Seq2SeqLMOutput, 'encoderLastHiddenState' | 'encoderHiddenStates' | 'encoderAttentions'>;
}

/** The cross-attention keys and values of the prompts, from the encoder or from a past. */
async function readSource(
  config: Seq2SeqConfig,
  sessions: T5Sessions,
  inputs: Seq2SeqLMInputs,
  request: T5StackRequest,
): Promise<ReadSource> {
  const remembered = inputs.pastKeyValues && rememberedSource(config, inputs.pastKeyValues, inputs.attentionMask);
  if (remembered && !inputs.inputIds && !inputs.inputsEmbeds)
    return { memory: () => Promise.resolve(remembered), outputs: {} };
  const inputsEmbeds = await promptEmbeddings(inputs, sessions.embed);
  const attentionMask = remembered?.attentionMask ?? maskRows(inputs.attentionMask, inputsEmbeds);
  expectPrompt(attentionMask, inputsEmbeds.dims, Infinity);
  const { lastHiddenState, hiddenStates, attentions } = await sessions.encode(inputsEmbeds, attentionMask, request);
  return {
    memory: () =>
      remembered ? Promise.resolve(remembered) : sessions.crossKeysAndValues(lastHiddenState, attentionMask),
    outputs: {
      encoderLastHiddenState: expectFinite('language model', lastHiddenState),
      ...(hiddenStates && { encoderHiddenStates: hiddenStates }),
      ...(attentions && { encoderAttentions: attentions }),
    },
  };
}

/** The cross-attention keys and values of a past. */
function rememberedSource(
  config: Seq2SeqConfig,
  past: readonly Seq2SeqKeyValue[],
  mask: Rows | undefined,
): EncoderMemory {
  const cross = crossKeyValues(past);
  const batch = cross.keys[0]?.dims[0] ?? 0;
  const source = pastPositions(cross, batch, cacheSizeOf(config));
  const attentionMask = mask
    ? asRows(mask, 'attentionMask')
    : Array.from({ length: batch }, () => new Array<number>(source).fill(1));
  expectPrompt(attentionMask, [batch, source, config.dModel], Infinity);
  return encoderMemory({ ...cross, attentionMask });
}

/** Sizes of the self-attention keys and values. Those of cross-attention have the same heads. */
export function cacheSizeOf({ numDecoderLayers: layers, numHeads: heads, dKv: headSize }: Seq2SeqConfig): CacheSize {
  return { layers, heads, headSize };
}

/** The input of the decoder for labels: the start token, then all labels but the last (HF `_shift_right`). */
export function shiftRight(config: Seq2SeqConfig, labels: readonly TokenIds[]): TokenIds[] {
  const { padTokenId } = config;
  const first = startToken(config);
  if (padTokenId === undefined) throw missingToken('pad_token_id');
  return labels.map((row) => [first, ...row.slice(0, -1)].map((id) => (id === IGNORED_LABEL ? padTokenId : id)));
}

/**
 * The start token of the decoder.
 * @throws Blip2Error `INVALID_ARGUMENT` if the configuration has none.
 */
export function startToken(config: Seq2SeqConfig): number {
  const { decoderStartTokenId } = TextConfig.specialTokens(config);
  if (decoderStartTokenId === undefined) throw missingToken('decoder_start_token_id');
  return decoderStartTokenId;
}

function missingToken(name: string): Blip2Error {
  return new Blip2Error('INVALID_ARGUMENT', `The configuration has no ${name}`, {
    where: 'text_config',
    expected: name,
    got: 'nothing',
    fix: 'Pass decoderInputIds',
  });
}
