import { expect, test } from 'vitest';

import { ApiError } from '../api/api-error.ts';
import { adviceFor } from '../api/error-advice.ts';
import type { ServerModel } from '../api/types.ts';
import { textLines } from '../views/text-lines.ts';
import { COLOR_STOPS, colorOf, valueAt } from './color-scale.ts';
import { GENERATION_OPTIONS, generationFields, optionProblem } from './generation-settings.ts';
import { modelFor } from './model-choice.ts';
import { DEFAULT_SETTINGS } from './settings.ts';

const text: ServerModel = { id: 'opt', capabilities: ['completion', 'vision', 'rank', 'heatmap'] };
const other: ServerModel = { id: 't5', capabilities: ['completion', 'vision', 'rank', 'heatmap'] };
const match: ServerModel = { id: 'itm', capabilities: ['embedding', 'match', 'heatmap'] };
const unknown: ServerModel = { id: 'org/model' };

test.each([
  ['the first model of the kind', 'write', [match, text, other], {}, 'opt'],
  ['the retrieval model', 'match', [text, match], {}, 'itm'],
  ['the chosen one', 'rank', [text, other], { textModel: 't5' }, 't5'],
  ['not a chosen one of the other kind', 'embed', [text, match], { matchModel: 'opt' }, 'itm'],
  ['not a chosen one that is gone', 'write', [text], { textModel: 'old' }, 'opt'],
  ['one that is known, before one that is not', 'write', [unknown, text], {}, 'opt'],
  ['one that is not known, if there is no other', 'match', [text, unknown], {}, 'org/model'],
] as const)('the model of a task is %s', (_, task, models, settings, id) => {
  expect(modelFor(task, models, { ...DEFAULT_SETTINGS, ...settings }).model?.id).toBe(id);
});

test.each([
  ['match', [text], /no score.*retrieval model/],
  ['embed', [text], /no features.*retrieval model/],
  ['write', [match], /generate none.*generation model/],
  ['rank', [match], /no language model/],
  ['write', [], /not known yet/],
] as const)('without a model for %s, the reason is given', (task, models, reason) => {
  expect(modelFor(task, models, DEFAULT_SETTINGS).problem).toMatch(reason);
});

test('options are sent if they are set and valid', () => {
  expect(
    generationFields({ max_tokens: '5', temperature: ' 0.7 ', top_p: '', top_k: '1.5', seed: '-1', x: '1' }),
  ).toEqual({ max_tokens: 5, temperature: 0.7 });
  const [tokens, temperature] = GENERATION_OPTIONS;
  expect(optionProblem(tokens!, '0')).toBe('Most new tokens must be a whole number from 1 to 4096');
  expect(optionProblem(temperature!, '1e400')).toBe('Temperature must be a number from 0 to 10');
  expect(optionProblem(temperature!, ' ')).toBeUndefined();
});

test('texts are lines, without empty and repeated ones', () => {
  expect(textLines(' a \n\nb\r\na\n')).toEqual(['a', 'b']);
});

test('colors are those of the scale, and values are interpolated between the centres of cells', () => {
  expect(colorOf(0)).toEqual(COLOR_STOPS[0]);
  expect(colorOf(1)).toEqual(COLOR_STOPS.at(-1));
  expect(colorOf(7)).toEqual(COLOR_STOPS.at(-1));
  expect(colorOf(0.5)).toEqual([35, 144, 140]);
  const map = { rows: 1, columns: 2, values: [0, 1] };
  expect([0, 0.25, 0.5, 0.75, 1].map((x) => valueAt(map, x, 0.5))).toEqual([0, 0, 0.5, 1, 1]);
});

test('every error has its code and something to do', () => {
  expect(adviceFor(new ApiError('QUEUE_FULL', 'full', { status: 429 }))).toMatchObject({
    canRetry: true,
    code: 'QUEUE_FULL',
  });
  expect(adviceFor(new ApiError('UNAUTHORIZED', 'no', { status: 401 })).needsSettings).toBe(true);
  expect(adviceFor(new ApiError('INVALID_ARGUMENT', 'x', { status: 400 })).canRetry).toBe(false);
  expect(adviceFor(new ApiError('HTTP_502', 'x', { status: 502 })).canRetry).toBe(true);
  expect(adviceFor('text')).toMatchObject({ code: 'UNEXPECTED', message: 'text' });
});
