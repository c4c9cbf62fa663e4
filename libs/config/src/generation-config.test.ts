import { generationOptions } from '@blip2/interfaces';
import { describe, expect, test } from 'vitest';

import { GenerationConfig } from './generation-config.ts';

const json = {
  _from_model_config: true,
  bos_token_id: 2,
  eos_token_id: [202, 5],
  pad_token_id: 1,
  num_beams: 5,
  early_stopping: 'never',
  bad_words_ids: [[3], [4, 5]],
  max_new_tokens: null,
  transformers_version: '4.47.0',
};

describe('GenerationConfig', () => {
  test('a token whose id is -1 does not exist', () => {
    const { padTokenId, eosTokenId } = GenerationConfig.fromJson({ pad_token_id: -1, eos_token_id: [-1, 2] });
    expect([padTokenId, eosTokenId]).toEqual([undefined, [2]]);
  });

  test('has the defaults of HF, which are those of the options table', () => {
    const config = GenerationConfig.create();
    expect(config.maxLength).toBe(20);
    for (const [name, { default: byDefault }] of Object.entries(generationOptions)) {
      if (byDefault !== undefined && name in config)
        expect([name, Reflect.get(config, name)]).toEqual([name, byDefault]);
    }
  });

  test('round trip of a file', () => {
    const config = GenerationConfig.fromJson(json);
    expect(config).toMatchObject({
      numBeams: 5,
      earlyStopping: 'never',
      eosTokenId: [202, 5],
      badWordsIds: [[3], [4, 5]],
      maxNewTokens: undefined,
      topK: 50,
    });
    expect(GenerationConfig.toJson(config)).toEqual(json);
  });

  test('writes replaced fields', () => {
    const config = GenerationConfig.create({ json, numBeams: 3, lengthPenalty: -1 });
    expect(GenerationConfig.toJson(config)).toEqual({ ...json, num_beams: 3, length_penalty: -1 });
  });

  test('converts values that differ from the defaults to options of generate', () => {
    const options = GenerationConfig.options(GenerationConfig.fromJson({ ...json, temperature: 1 }));
    expect(options).toEqual({
      bosTokenId: 2,
      eosTokenId: [202, 5],
      padTokenId: 1,
      numBeams: 5,
      earlyStopping: 'never',
      badWordsIds: [[3], [4, 5]],
    });
    expect(Object.keys(generationOptions)).toEqual(expect.arrayContaining(Object.keys(options)));
  });

  test.each([
    [{ num_beams: 0 }],
    [{ top_p: 1.5 }],
    [{ early_stopping: 'soon' }],
    [{ bad_words_ids: [3] }],
    [{ suppress_tokens: [-1] }],
    [{ temperature: 0 }],
    [{ length_penalty: '1' }],
  ])('rejects %j', (wrong) => {
    expect(() => GenerationConfig.fromJson(wrong)).toThrow(expect.objectContaining({ code: 'INVALID_CONFIG' }));
  });

  test('rejects unknown fields', () => {
    expect(() => GenerationConfig.create({ beams: 3 } as object)).toThrow(
      expect.objectContaining({ code: 'UNKNOWN_OPTION' }),
    );
  });
});
