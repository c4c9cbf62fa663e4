import type { Tensor } from '@blip2/interfaces';

import type { EntryCall } from '../entry-kind.ts';
import type { Mutation } from './mutation.ts';

const LOGITS = { case: 'logits', reaches: ['logits_processor', 'logits_pipeline'] } as const;
const ALONE = { case: 'logits', reaches: ['logits_processor'] } as const;

export const logitsMutations: readonly Mutation[] = [
  {
    ...ALONE,
    name: 'logits: top_p loses the crossing token',
    result: (result, call) =>
      editRows(result, call, 'topP', (row) => keepBest(row, Math.max(kept(row) - 1, fewest(call)))),
  },
  {
    ...ALONE,
    name: 'logits: top_k keeps exactly k of equal scores',
    result: (result, call) =>
      editRows(result, call, 'topK', (row) => keepBest(row, Math.max(Number(call.options['topK']), fewest(call)))),
  },
  {
    ...LOGITS,
    name: 'logits: repetition penalty always divides',
    result: (result, call) =>
      editRows(result, call, call.options['penalty'] === undefined ? 'repetitionPenalty' : 'penalty', (row, index) =>
        divideSeen(row, call, index),
      ),
  },
  {
    ...ALONE,
    name: 'logits: eta cutoff without entropy',
    call: (call) =>
      call.options['class'] === 'EtaLogitsWarper' ? withOptions(call, { class: 'EpsilonLogitsWarper' }) : call,
  },
  {
    ...ALONE,
    name: 'logits: min_p ignores min_tokens_to_keep',
    call: (call) => (call.options['minP'] === undefined ? call : withOptions(call, { minTokensToKeep: 1 })),
  },
  { ...ALONE, name: 'logits: n-grams one longer', call: (call) => addTo(call, 'ngramSize', 1) },
  { ...ALONE, name: 'logits: minimum length three shorter', call: (call) => addTo(call, 'minLength', -3) },
  {
    ...LOGITS,
    name: 'logits: temperature after the other warpers',
    reaches: ['logits_pipeline'],
    call: (call) => withOptions(call, { temperature: 1 }),
    result(result, call) {
      const temperature = Number(call.options['temperature'] ?? 1);
      if (temperature !== 1)
        editRows(result, call, 'temperature', (row) => row.forEach((score, id) => (row[id] = score / temperature)));
    },
  },
];

function withOptions(call: EntryCall, options: EntryCall['options']): EntryCall {
  return { ...call, options: { ...call.options, ...options } };
}

function addTo(call: EntryCall, name: string, difference: number): EntryCall {
  const value = call.options[name];
  return typeof value === 'number' ? withOptions(call, { [name]: value + difference }) : call;
}

/** Changes the logits `[rows, vocabulary]` of calls that use the option, row by row in place. */
function editRows(
  result: Map<string, unknown>,
  call: EntryCall,
  option: string,
  edit: (row: Float32Array, index: number) => void,
): void {
  const scores = result.get('scores');
  if (call.options[option] === undefined || !isScores(scores)) return;
  const vocabulary = scores.dims[1] ?? 0;
  for (let row = 0; row * vocabulary < scores.data.length; row++)
    edit(scores.data.subarray(row * vocabulary, (row + 1) * vocabulary), row);
}

function isScores(value: unknown): value is Tensor<'float32'> {
  return typeof value === 'object' && value !== null && 'data' in value && value.data instanceof Float32Array;
}

/** Minimum number of tokens that a warper must keep. */
function fewest({ options }: EntryCall): number {
  return Number(options['minTokensToKeep'] ?? 1);
}

function kept(row: Float32Array): number {
  return row.filter(Number.isFinite).length;
}

function keepBest(row: Float32Array, count: number): void {
  const order = Array.from(row.keys()).sort((a, b) => (row[b] ?? 0) - (row[a] ?? 0));
  for (const id of order.slice(count)) row[id] = -Infinity;
}

/** Negative logits were multiplied by the penalty; dividing by its square divides them instead. */
function divideSeen(row: Float32Array, { options, inputs }: EntryCall, index: number): void {
  const penalty = Number(options['penalty'] ?? options['repetitionPenalty']);
  for (const id of new Set(inputs.rows('input_ids')[index]))
    if ((row[id] ?? 0) < 0) row[id] = (row[id] ?? 0) / penalty ** 2;
}
