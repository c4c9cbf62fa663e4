import { OptConfig, T5Config } from '@blip2/config';
import type { WeightFinder } from '@blip2/onnx';
import { describe, expect, test } from 'vitest';

import { buildOptDecoder, buildOptEmbedding } from './opt/opt-graph.ts';
import { buildT5Embedding } from './seq2seq/t5-encoder-graph.ts';

/** A checkpoint that holds everything but the tables that are not in `tables`. */
function holding(tables: readonly string[]): WeightFinder {
  const has = (name: string): boolean =>
    tables.includes(name) || !/(?:embed_tokens|shared|lm_head)\.weight$/.test(name);
  return {
    has,
    find: (name, shape) =>
      has(name) ? { name, shape, dtype: 'F32', file: '', byteOffset: 0, byteLength: 0 } : undefined,
  };
}

const request = { cache: false, lastHiddenState: false, hiddenStates: false, attentions: false };
const WORDS = 'model.decoder.embed_tokens.weight';
const HEAD = 'lm_head.weight';

describe('a token embedding that is tied to the head', () => {
  const tied = OptConfig.create({ hiddenSize: 8, numAttentionHeads: 2, ffnDim: 8, vocabSize: 10, numHiddenLayers: 1 });

  test.each([[[WORDS]], [[HEAD]]])('is found under either name: %j', (tables) => {
    expect(buildOptEmbedding(tied, holding(tables), '').weightNames).toEqual(tables);
    expect(buildOptDecoder(tied, holding(tables), '', request).weightNames).toContain(tables[0]);
  });

  test('is used under its own name if both are stored', () => {
    expect(buildOptEmbedding(tied, holding([WORDS, HEAD]), '').weightNames).toEqual([WORDS]);
    expect(buildOptDecoder(tied, holding([WORDS, HEAD]), '', request).weightNames).toContain(HEAD);
  });

  test('is reported as missing under its own name if it is not tied', () => {
    const own = OptConfig.create({ ...tied, tieWordEmbeddings: false });
    expect(() => buildOptEmbedding(own, holding([HEAD]), '')).toThrow(
      expect.objectContaining({ code: 'MISSING_WEIGHT' }),
    );
  });

  test("is T5's only if the output is scaled", () => {
    const t5 = T5Config.create({ dModel: 8, vocabSize: 10 });
    expect(buildT5Embedding({ ...t5, scaleDecoderOutputs: true }, holding([HEAD]), '').weightNames).toEqual([HEAD]);
    expect(() => buildT5Embedding({ ...t5, scaleDecoderOutputs: false }, holding([HEAD]), '')).toThrow(
      expect.objectContaining({ code: 'MISSING_WEIGHT' }),
    );
  });
});
