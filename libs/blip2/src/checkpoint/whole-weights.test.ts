import { describe, expect, test } from 'vitest';

import { missingTensors, unexpectedTensors } from './whole-weights.ts';

const HEAD = 'language_model.lm_head.weight';
const WORDS = 'language_model.model.decoder.embed_tokens.weight';
const SHARED = 'language_model.shared.weight';
const ENCODER = 'language_model.encoder.embed_tokens.weight';
const named = (...names: string[]): { name: string }[] => names.map((name) => ({ name }));
const holding = (...names: string[]): Map<string, true> => new Map(names.map((name) => [name, true]));

describe('missingTensors', () => {
  test('accepts a tied embedding under the name of the head, and for T5 under any of its names', () => {
    expect(missingTensors(named(WORDS, 'a'), holding(HEAD, 'a'))).toEqual([]);
    expect(missingTensors(named(SHARED, 'a'), holding(ENCODER, 'a'))).toEqual([]);
    expect(missingTensors(named(SHARED, HEAD), holding(SHARED))).toEqual([]);
  });

  test('reports a missing embedding whose head is a separate tensor', () => {
    expect(missingTensors(named(WORDS, HEAD), holding(HEAD))).toEqual([WORDS]);
    expect(missingTensors(named(SHARED, HEAD), holding(HEAD))).toEqual([SHARED]);
  });

  test('lists all other missing tensors in order', () => {
    expect(missingTensors(named('a', 'b', 'c'), holding('b'))).toEqual(['a', 'c']);
  });
});

describe('unexpectedTensors', () => {
  test('lists unused tensors, except copies of a tied embedding', () => {
    expect(unexpectedTensors(named(WORDS), holding(WORDS, HEAD, SHARED, 'x'))).toEqual(['x']);
  });
});
