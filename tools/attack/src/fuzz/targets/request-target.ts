import { join } from 'node:path';

import { Blip2 } from '@blip2/blip2';
import fc, { type Arbitrary } from 'fast-check';

import { oddValue } from '../damage.ts';
import { defineTarget, type Target } from '../target.ts';

/** A small golden checkpoint. The path is the same from `src` and `dist`. */
const CHECKPOINT: string = join(import.meta.dirname, '../../../../parity/cases/opt/checkpoint');
const IMAGE: string = join(import.meta.dirname, '../../../../../examples/small-one.png');

interface Case {
  readonly task: 'caption' | 'answer' | 'rank';
  readonly image: unknown;
  readonly text: unknown;
  readonly candidates: unknown;
  readonly options: unknown;
}

const NAMES = [
  'maxNewTokens',
  'max_new_tokens',
  'numBeams',
  'temperature',
  'topK',
  'topP',
  'doSample',
  'seed',
  'repetitionPenalty',
  'noRepeatNgramSize',
  'badWordsIds',
  'stopStrings',
  'eosTokenId',
  'prompt',
  'signal',
  'foo',
  '__proto__',
] as const;
/** Values of options; numbers are small, because large ones that are allowed take as long as they ask for. */
const optionValue: Arbitrary<unknown> = fc.oneof(
  fc.constantFrom(null, true, false, 0, 1, 2, 3, -1, 0.5, 1.5, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 53),
  fc.constantFrom('', 'a', [], [1], [[1, 2]], [['a']], {}, '\ud800'),
);
const options: Arbitrary<unknown> = fc.oneof(
  { weight: 8, arbitrary: fc.dictionary(fc.constantFrom(...NAMES), optionValue, { maxKeys: 4 }) },
  { weight: 1, arbitrary: oddValue },
);

const cases: Arbitrary<Case> = fc.record({
  task: fc.constantFrom('caption', 'answer', 'rank'),
  image: fc.oneof({ weight: 6, arbitrary: fc.constant(IMAGE) }, { weight: 1, arbitrary: oddValue }),
  text: fc.oneof(
    { weight: 4, arbitrary: fc.string({ unit: 'binary', maxLength: 20 }) },
    { weight: 1, arbitrary: oddValue },
  ),
  candidates: fc.oneof(fc.array(fc.string({ maxLength: 8 }), { maxLength: 3 }), oddValue),
  options,
});

/** Calls of the tasks with arguments of any kind. */
export const requestTarget: Target<unknown> = defineTarget<Case>({
  name: 'request',
  promise: 'A call of a task with any arguments returns a result or is refused with a code.',
  open: async () => {
    const model = await Blip2.fromPretrained(CHECKPOINT);
    const call = (name: string, args: readonly unknown[]): Promise<unknown> => {
      const method: unknown = Reflect.get(model, name);
      if (typeof method !== 'function') throw new TypeError(`${name} is no task`);
      return Promise.resolve(Reflect.apply(method, model, args));
    };
    return {
      cases,
      run: async ({ task, image, text, candidates, options }) => {
        if (task === 'caption') await call(task, [image, options]);
        else if (task === 'answer') await call(task, [image, text, options]);
        else await call(task, [image, text, candidates, options]);
      },
      [Symbol.asyncDispose]: () => model[Symbol.asyncDispose](),
    };
  },
});
