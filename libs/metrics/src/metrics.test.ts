import { readFile } from 'node:fs/promises';
import { join } from 'node:path';

import { describe, expect, test } from 'vitest';

import {
  bleu,
  captionTokens,
  cider,
  ciderD,
  exactMatch,
  normalizeAnswer,
  recall,
  splitWords,
  vqaAccuracy,
} from './index.ts';

interface Recorded {
  readonly captions: readonly {
    name: string;
    predictions: string[];
    references: string[][];
    cider: { score: number; scores: number[] };
    ciderD: { score: number; scores: number[] };
    bleu: { scores: number[]; perItem: number[][] };
  }[];
  readonly vqa: readonly { prediction: string; answers: string[]; accuracy: number }[];
  readonly normalized: Record<string, string>;
  readonly tokens: readonly { text: string; tokens: string[] }[];
  readonly retrieval: readonly {
    dims: number[];
    data: number[];
    imageOfText: number[];
    imageToText: Record<number, number>;
    textToImage: Record<number, number>;
  }[];
}
const recorded = JSON.parse(await readFile(join(import.meta.dirname, 'fixtures/recorded.json'), 'utf8')) as Recorded;
const TOLERANCE = 1e-9;

function expectClose(got: ArrayLike<number>, expected: readonly number[]): void {
  expect(got).toHaveLength(expected.length);
  for (const [at, value] of expected.entries()) expect(Math.abs(got[at]! - value)).toBeLessThanOrEqual(TOLERANCE);
}

describe.each(recorded.captions)('captions ($name)', ({ predictions, references, ...expected }) => {
  const options = { tokenize: splitWords };
  test('have the CIDEr-D of pycocoevalcap', () => {
    const { score, scores } = ciderD(predictions, references, options);
    expectClose([score, ...scores], [expected.ciderD.score, ...expected.ciderD.scores]);
  });
  test('have the CIDEr of its authors', () => {
    const { score, scores } = cider(predictions, references, options);
    expectClose([score, ...scores], [expected.cider.score, ...expected.cider.scores]);
  });
  test('have the BLEU of pycocoevalcap', () => {
    const { scores, perItem } = bleu(predictions, references, options);
    expectClose(scores, expected.bleu.scores);
    for (const [at, each] of expected.bleu.perItem.entries()) expectClose(perItem[at]!, each);
  });
});

describe('captions', () => {
  test.each(recorded.tokens)('have the words of the Penn Treebank: $text', ({ text, tokens }) => {
    expect(captionTokens(text)).toEqual(tokens);
  });
  test.each([
    ['“A man’s hat” – red…', ['a', 'man', "'s", 'hat', 'red']],
    ['Mr. Smith at 5 p.m. in the U.S. today', ['mr.', 'smith', 'at', '5', 'p.m.', 'in', 'the', 'u.s.', 'today']],
    ['AT&T sign: www.example.com/a, me@example.com', ['at&t', 'sign', 'www.example.com/a', 'me@example.com']],
    ["five o'clock, 'em", ['five', "o'clock", "'em"]],
    ['a_b [x] {y}', ['a_b', '-lsb-', 'x', '-rsb-', '-lcb-', 'y', '-rcb-']],
    ['a\nb\tc', ['a', 'b', 'c']],
    ['n\u0303a', ['n\u0303a']],
  ])('%s', (text, tokens) => {
    expect(captionTokens(text)).toEqual(tokens);
  });
  test('of a hundred thousand characters are split at once', () => {
    for (const text of [
      "n't".repeat(30_000),
      'a'.repeat(100_000),
      'a.'.repeat(50_000),
      '1,'.repeat(50_000),
      "'".repeat(1e5),
    ]) {
      expect(captionTokens(text).length).toBeLessThan(100_000);
    }
  });
  test('are tokenized before they are compared', () => {
    const references = [["A man's dog."], ['Two cats!']];
    expect(ciderD(["a man's dog", 'two cats'], references).score).toBeGreaterThan(5);
    expect(bleu(["a man 's dog", 'Two cats,'], references).scores[0]).toBeCloseTo(1, 8);
  });
  const words: readonly [string, (predictions: string[], references: string[][]) => unknown][] = [
    ['ciderD', ciderD],
    ['cider', cider],
    ['bleu', bleu],
  ];
  test.each(words)('%s refuses texts that cannot be compared', (_, metric) => {
    const refused = (argument: string): object => ({ code: 'INVALID_ARGUMENT', details: { argument } });
    const failing = (predictions: unknown, references: unknown): unknown => {
      try {
        return metric(predictions as string[], references as string[][]);
      } catch (error) {
        return error;
      }
    };
    expect(failing([], [])).toMatchObject(refused('predictions'));
    expect(failing('a', ['a'])).toMatchObject(refused('predictions'));
    expect(failing(['a'], [])).toMatchObject(refused('references'));
    expect(failing(['a', 'b'], [['a']])).toMatchObject(refused('references'));
    expect(failing(['a'], [[]])).toMatchObject(refused('references[0]'));
    expect(failing(['a'], ['a'])).toMatchObject(refused('references[0]'));
    expect(failing(['a', 'b'], [['a'], ['b', '?!']])).toMatchObject(refused('references[1][1]'));
    expect(failing(['a'], [['']])).toMatchObject(refused('references[0][0]'));
    expect(failing([undefined], [['a']])).toMatchObject(refused('predictions[0]'));
    expect(failing(['a'], [[5]])).toMatchObject(refused('references[0][0]'));
    expect(failing([''], [['a']])).not.toBeInstanceOf(Error);
    expect(() => metric.call(undefined, ['a'], [['a']])).not.toThrow();
    expect(() => bleu(['a'], [['a']], { tokenize: 5 as never })).toThrow(/tokenize must be/);
  });
});

describe('answers', () => {
  test.each(recorded.vqa)('have the accuracy of the official evaluation: $prediction', (item) => {
    expectClose([vqaAccuracy([item.prediction], [item.answers]).score], [item.accuracy]);
  });
  test('have its mean', () => {
    const predictions = recorded.vqa.map(({ prediction }) => prediction);
    const answers = recorded.vqa.map((item) => item.answers);
    const accuracies = recorded.vqa.map(({ accuracy }) => accuracy);
    const { score, scores } = vqaAccuracy(predictions, answers);
    expectClose(scores, accuracies);
    expectClose([score], [accuracies.reduce((sum, value) => sum + value) / accuracies.length]);
  });
  test('are normalized as there', () => {
    const entries = Object.entries(recorded.normalized);
    expect(entries.length).toBeGreaterThan(150);
    expect(Object.fromEntries(entries.map(([text]) => [text, normalizeAnswer(text)]))).toEqual(recorded.normalized);
  });
  test('of fewer than two annotators are refused', () => {
    expect(() => vqaAccuracy(['a'], [['a']])).toThrow('answers[0] must be a list of at least 2 texts');
    expect(() => vqaAccuracy(['a'], [])).toThrow(/^answers must be/);
  });
  test('match exactly or not', () => {
    expect([...exactMatch(['a', 'B', 'c'], ['a', 'b', ['d', 'c']]).scores]).toEqual([1, 0, 1]);
    expect(exactMatch(['The dogs!', 'B'], ['dogs', 'a b'], { normalize: normalizeAnswer }).score).toBe(1);
    expect(exactMatch([''], ['']).score).toBe(1);
    expect(() => exactMatch(['a'], [])).toThrow(/references must be/);
    expect(() => exactMatch(['a'], [[]])).toThrow(/references\[0\] must be/);
    expect(() => exactMatch(['a'], ['a'], { normalize: 'lower' as never })).toThrow(/normalize must be/);
  });
});

describe('retrieval', () => {
  test.each(recorded.retrieval)('has the recall of BLIP for $dims', (item) => {
    const { imageToText, textToImage } = recall(item, { imageOfText: item.imageOfText });
    expect(imageToText).toEqual(item.imageToText);
    expect(textToImage).toEqual(item.textToImage);
  });
  test('pairs images and texts in order if nothing else is said', () => {
    const similarities = { dims: [2, 2], data: Float32Array.of(1, 0, 2, 0.5) };
    expect(recall(similarities, { k: [1, 2] })).toEqual({
      imageToText: { 1: 0.5, 2: 1 },
      textToImage: { 1: 0.5, 2: 1 },
    });
  });
  test('that finds everything alike has no recall at 1', () => {
    const { imageToText, textToImage } = recall({ dims: [20, 20], data: new Float32Array(400) });
    expect([imageToText[1], textToImage[1], imageToText[10]]).toEqual([0, 0, 0]);
  });
  test.each([
    [{ dims: [2, 3], data: [0, 0, 0, 0] }, {}, /similarities must be/],
    [{ dims: [0, 0], data: [] }, {}, /similarities must be/],
    [{ dims: [4], data: [0, 0, 0, 0] }, {}, /similarities must be/],
    [{ dims: [1, 2], data: [0, 0] }, {}, /imageOfText must be given/],
    [{ dims: [1, 2], data: [0, 0] }, { imageOfText: [0] }, /imageOfText must be a list/],
    [{ dims: [1, 2], data: [0, 0] }, { imageOfText: [0, 1] }, /imageOfText\[1\] must be/],
    [{ dims: [2, 2], data: [0, 0, 0, 0] }, { imageOfText: [0, 0] }, /none of image 1/],
    [{ dims: [1, 1], data: [0] }, { k: [] }, /k must be/],
    [{ dims: [1, 1], data: [0] }, { k: [0] }, /k must be/],
    [{ dims: [1, 1], data: [NaN] }, {}, /not a finite number \(image 0, text 0\)/],
  ])('refuses what does not fit (%#)', (similarities, options, message) => {
    expect(() => recall(similarities, options)).toThrow(message);
  });
});
