import { readFileSync } from 'node:fs';

import type { GenerationOptions, LogitsProcessor, Tensor } from '@blip2/interfaces';
import { readTensorFile } from '@blip2/testing';
import { describe, expect, test } from 'vitest';

import { createLogitsProcessors } from './create-logits-processors.ts';
import { epsilonCutoff, etaCutoff } from './cutoffs.ts';
import { forcedBosToken, forcedEosToken } from './forced-tokens.ts';
import { exponentialDecayLengthPenalty, minLength, minNewTokens } from './length-limits.ts';
import { minP } from './min-p.ts';
import { noRepeatNgram } from './no-repeat-ngram.ts';
import { removeInvalidValues } from './remove-invalid-values.ts';
import { renormalizeLogits } from './renormalize-logits.ts';
import { repetitionPenalty } from './repetition-penalty.ts';
import { badWords, sequenceBias } from './sequence-bias.ts';
import { beginSuppressTokens, suppressTokens } from './suppress-tokens.ts';
import { temperature } from './temperature.ts';
import { topK } from './top-k.ts';
import { topP } from './top-p.ts';
import { typicalP } from './typical-p.ts';

const folder = new URL('../../../../tools/parity/cases/logits/', import.meta.url);
interface Entry {
  readonly name: string;
  readonly kind: 'logits_processor' | 'logits_pipeline';
  readonly inputs: { readonly input_ids: number[][]; readonly scores: { readonly tensor: string } };
  readonly options: Readonly<Record<string, never>>;
  readonly outputs: { readonly scores: { readonly tensor: string }; readonly classes?: string[] };
  readonly tolerance: { readonly atol: number; readonly rtol: number };
}
const { entries }: { entries: Entry[] } = JSON.parse(readFileSync(new URL('golden.json', folder), 'utf8'));
const tensors = readTensorFile(readFileSync(new URL('golden.safetensors', folder)));

/** The processors that correspond to HF's classes. */
const classes: Readonly<Record<string, (o: Entry['options']) => LogitsProcessor>> = {
  TemperatureLogitsWarper: (o) => temperature(o['temperature']!),
  TopKLogitsWarper: (o) => topK(o['top_k']!, o['min_tokens_to_keep']),
  TopPLogitsWarper: (o) => topP(o['top_p']!, o['min_tokens_to_keep']),
  MinPLogitsWarper: (o) => minP(o['min_p']!, o['min_tokens_to_keep']),
  TypicalLogitsWarper: (o) => typicalP(o['mass']!, o['min_tokens_to_keep']),
  EpsilonLogitsWarper: (o) => epsilonCutoff(o['epsilon']!, o['min_tokens_to_keep']),
  EtaLogitsWarper: (o) => etaCutoff(o['epsilon']!, o['min_tokens_to_keep']),
  RepetitionPenaltyLogitsProcessor: (o) => repetitionPenalty(o['penalty']!),
  NoRepeatNGramLogitsProcessor: (o) => noRepeatNgram(o['ngram_size']!),
  NoBadWordsLogitsProcessor: (o) => badWords(o['bad_words_ids']!, o['eos_token_id']!),
  SequenceBiasLogitsProcessor: (o) => sequenceBias(o['sequence_bias']!),
  MinLengthLogitsProcessor: (o) => minLength(o['min_length']!, o['eos_token_id']!),
  MinNewTokensLengthLogitsProcessor: (o) =>
    minNewTokens(o['min_new_tokens']!, o['prompt_length_to_skip']!, o['eos_token_id']!),
  SuppressTokensLogitsProcessor: (o) => suppressTokens(o['suppress_tokens']!),
  SuppressTokensAtBeginLogitsProcessor: (o) => beginSuppressTokens(o['begin_suppress_tokens']!, o['begin_index']!),
  ForcedBOSTokenLogitsProcessor: (o) => forcedBosToken(o['bos_token_id']!),
  ForcedEOSTokenLogitsProcessor: (o) => forcedEosToken([o['eos_token_id']!].flat(), o['max_length']!),
  ExponentialDecayLengthPenalty: (o) =>
    exponentialDecayLengthPenalty(
      o['exponential_decay_length_penalty']!,
      o['input_ids_seq_length']!,
      o['eos_token_id']!,
    ),
  InfNanRemoveLogitsProcessor: () => removeInvalidValues(),
  LogitNormalization: () => renormalizeLogits(),
};
const optionOfClass: Readonly<Record<string, keyof GenerationOptions>> = {
  TemperatureLogitsWarper: 'temperature',
  TopKLogitsWarper: 'topK',
  TopPLogitsWarper: 'topP',
  MinPLogitsWarper: 'minP',
  TypicalLogitsWarper: 'typicalP',
  EpsilonLogitsWarper: 'epsilonCutoff',
  EtaLogitsWarper: 'etaCutoff',
  LogitNormalization: 'renormalizeLogits',
  SequenceBiasLogitsProcessor: 'sequenceBias',
  RepetitionPenaltyLogitsProcessor: 'repetitionPenalty',
  NoRepeatNGramLogitsProcessor: 'noRepeatNgramSize',
  NoBadWordsLogitsProcessor: 'badWordsIds',
  MinNewTokensLengthLogitsProcessor: 'minNewTokens',
  SuppressTokensLogitsProcessor: 'suppressTokens',
};

function expectScores(
  { inputs, outputs, tolerance: { atol, rtol } }: Entry,
  processors: readonly LogitsProcessor[],
): void {
  const {
    dims: [rows = 0, vocabulary = 0],
    data,
  } = tensors.get(inputs.scores.tensor) as Tensor<'float32'>;
  const expected = (tensors.get(outputs.scores.tensor) as Tensor<'float32'>).data;
  expect(data.length).toBe(expected.length);
  const actual = data.slice();
  for (let row = 0; row < rows; row++) {
    for (const process of processors)
      process(inputs.input_ids[row]!, actual.subarray(row * vocabulary, (row + 1) * vocabulary));
  }
  const wrong = [...actual].flatMap((value, index) => {
    const other = expected[index]!;
    return Number.isFinite(other)
      ? Math.abs(value - other) <= atol + rtol * Math.abs(other)
        ? []
        : [[index, value, other]]
      : Object.is(value, other)
        ? []
        : [[index, value, other]];
  });
  expect(wrong).toEqual([]);
}

const camelCase = (name: string): string => name.replaceAll(/_(.)/g, (_, letter: string) => letter.toUpperCase());

describe('logits processors match Hugging Face Transformers', () => {
  test.each(entries.filter(({ kind }) => kind === 'logits_processor'))('$name', (entry) => {
    const create = classes[entry.options['class']!];
    expectScores(entry, [create!(entry.options)]);
  });

  test.each(entries.filter(({ kind }) => kind === 'logits_pipeline'))('$name', (entry) => {
    const { prompt_length: promptLength, ...options } = entry.options;
    const camelCased: GenerationOptions = Object.fromEntries(
      Object.entries(options).map(([name, value]) => [camelCase(name), value]),
    );
    const processors = createLogitsProcessors(camelCased, { promptLength: promptLength! });
    expect(processors.map(({ name }) => name)).toEqual(entry.outputs.classes!.map((name) => optionOfClass[name]));
    expectScores(
      entry,
      processors.map(({ process }) => process),
    );
  });

  test('no golden is missing', () => {
    expect(entries.length).toBe(61);
  });
});
