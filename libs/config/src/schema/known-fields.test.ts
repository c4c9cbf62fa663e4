import { expect, test } from 'vitest';

import { Blip2Config } from '../blip2-config.ts';
import { OptConfig } from '../text/opt-config.ts';
import { T5Config } from '../text/seq2seq/t5-config.ts';

const create = (format: { create(overrides: never): unknown }, overrides: unknown) => () =>
  format.create(overrides as never);

test.each([
  ['hidden_size', OptConfig, { hidden_size: 8 }, 'Did you mean "hiddenSize"?'],
  ['d_model', T5Config, { d_model: 8 }, 'Did you mean "dModel"?'],
  ['num_query_tokens', Blip2Config, { num_query_tokens: 8 }, 'Did you mean "numQueryTokens"?'],
  ['foo', OptConfig, { foo: 8 }, 'expected one of vocabSize, hiddenSize'],
])('create refuses the field %s and names the nearest', (_, format, overrides, words) => {
  expect(create(format, overrides)).toThrow(
    expect.objectContaining({ code: 'UNKNOWN_OPTION', message: expect.stringContaining(words) as string }),
  );
});

test('create refuses overrides and parts that are no configurations', () => {
  const invalid = expect.objectContaining({ code: 'INVALID_ARGUMENT' }) as Error;
  expect(create(OptConfig, null)).toThrow(invalid);
  expect(create(Blip2Config, { visionConfig: { hiddenSize: 4 } })).toThrow(invalid);
  expect(create(Blip2Config, { textConfig: null })).toThrow(invalid);
});
