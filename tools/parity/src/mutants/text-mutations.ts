import { repetitionPenalty } from '@blip2/generate';
import type { GenerationOptions, TokenIds } from '@blip2/interfaces';

import { type EntryCall, optionsOf } from '../entry-kind.ts';
import { asRows } from '../json-shape.ts';
import { GENERATION_KINDS, type Mutation } from './mutation.ts';
import { END_TOKEN, promptLength, QUERIES } from './opt-case.ts';

/** OPT's default end token, which BLIP-2 checkpoints do not use. */
const OPT_END_TOKEN = 2;
const generation = { case: 'opt', reaches: GENERATION_KINDS } as const;
const PROCESSOR = { case: 'opt', reaches: ['processor'] } as const;

export const textMutations: readonly Mutation[] = [
  {
    ...generation,
    name: 'generate: end token 2 instead of the configured one',
    config: ({ text_config: c = {} }) => void (c['eos_token_id'] = OPT_END_TOKEN),
  },
  {
    ...generation,
    name: 'generate: finished rows padded with the end token',
    call: (call) => ({ ...call, options: { padTokenId: END_TOKEN, ...call.options } }),
  },
  {
    ...generation,
    name: 'generate: repetition penalty ignores the prompt',
    call: (call) => ({ ...call, options: { ...penaliseNewTokens(call) } }),
  },
  {
    ...generation,
    name: 'sampling: top_k off by default',
    call: (call, kind) => (kind === 'sampling_scores' ? { ...call, options: { topK: 0, ...call.options } } : call),
  },
  {
    ...PROCESSOR,
    name: 'processor: max_length not reduced',
    call: (call) => ({
      ...call,
      options:
        typeof call.options['maxLength'] === 'number'
          ? { ...call.options, maxLength: call.options['maxLength'] + QUERIES }
          : call.options,
    }),
  },
  {
    ...PROCESSOR,
    name: 'processor: image tokens last',
    result(result, { inputs }) {
      if (!inputs.has('images')) return;
      for (const name of ['inputIds', 'attentionMask'].filter((each) => result.has(each))) {
        result.set(
          name,
          asRows(result.get(name), name).map((row) => [...row.slice(QUERIES), ...row.slice(0, QUERIES)]),
        );
      }
    },
  },
];

function penaliseNewTokens(call: EntryCall): GenerationOptions {
  const { repetitionPenalty: penalty, ...options } = optionsOf<GenerationOptions>(call);
  if (penalty === undefined) return options;
  const prompt = promptLength(call);
  const penalise = repetitionPenalty(penalty);
  return {
    ...options,
    logitsProcessors: [(ids: TokenIds, scores: Float32Array) => penalise(ids.slice(prompt), scores)],
  };
}
