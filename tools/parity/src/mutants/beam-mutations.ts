import type { GenerationOptions, Tensor } from '@blip2/interfaces';

import { type EntryCall, optionsOf } from '../entry-kind.ts';
import { asRows } from '../json-shape.ts';
import type { Mutation } from './mutation.ts';
import { END_TOKENS, promptLength } from './opt-case.ts';

const BEAMS = { case: 'opt', reaches: ['generate'] } as const;

export const beamMutations: readonly Mutation[] = [
  { ...BEAMS, name: 'beams: length_penalty ignored', call: (call) => withOption(call, 'lengthPenalty', 1) },
  { ...BEAMS, name: 'beams: early_stopping always false', call: (call) => withOption(call, 'earlyStopping', false) },
  { ...BEAMS, case: 't5', name: 'beams: length_penalty ignored', call: (call) => withOption(call, 'lengthPenalty', 1) },
  {
    ...BEAMS,
    case: 't5',
    name: 'beams: early_stopping always false',
    call: (call) => withOption(call, 'earlyStopping', false),
  },
  { ...BEAMS, name: 'beams: early_stopping always true', call: (call) => withOption(call, 'earlyStopping', true) },
  {
    ...BEAMS,
    name: 'beams: length counts the prompt',
    result(result, call) {
      const scores = result.get('sequencesScores');
      if (!isScores(scores)) return;
      const { lengthPenalty = 1, eosTokenId = END_TOKENS } = optionsOf<GenerationOptions>(call);
      const ends = typeof eosTokenId === 'number' ? [eosTokenId] : eosTokenId;
      const lengths = asRows(result.get('newTokens'), 'newTokens').map(
        (row) => row.findIndex((id) => ends.includes(id)) + 1 || row.length,
      );
      const data = scores.data.map(
        (score, row) => score * ((lengths[row] ?? 0) / ((lengths[row] ?? 0) + promptLength(call))) ** lengthPenalty,
      );
      result.set('sequencesScores', { ...scores, data });
    },
  },
];

/** Changes one option of beam-search calls; other calls are unchanged. */
function withOption(call: EntryCall, name: keyof GenerationOptions, value: unknown): EntryCall {
  return call.options['numBeams'] === undefined ? call : { ...call, options: { ...call.options, [name]: value } };
}

function isScores(value: unknown): value is Tensor<'float32'> {
  return typeof value === 'object' && value !== null && 'data' in value && value.data instanceof Float32Array;
}
