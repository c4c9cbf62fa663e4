import { describe, expect, test } from 'vitest';

import { agreementOf } from './agreement.ts';
import { compareReport } from './compare-report.ts';
import type { ImageRun, PrecisionRun } from './precision-run.ts';

const image = (text: string, logits: readonly (readonly number[])[]): ImageRun => ({
  text,
  tokenIds: [3, 2],
  encodeMs: 20,
  generateMs: 8,
  logits: logits.map((row) => Float32Array.from(row)),
});
const run = (text: string, logits: readonly (readonly number[])[]): PrecisionRun => ({
  loadMs: 12.345,
  memoryMiB: 99.6,
  images: [image(text, logits)],
});
const first = run('a cat', [
  [3, 0, 0],
  [0, 4, 0],
]);
const other = run('a dog', [
  [3, 0, 0],
  [0, 4, 5],
]);

describe('agreementOf', () => {
  test('counts tokens chosen at the same positions, and computes the error of the logits', () => {
    expect(
      agreementOf(
        image('', [
          [3, 0, 0],
          [0, 4, 0],
        ]),
        image('', [
          [3, 0, 0],
          [0, 4, 5],
        ]),
      ),
    ).toEqual({ sameTokens: 1, tokens: 2, logitError: 1 });
    expect(agreementOf(image('', [[3, 0]]), image('', [[3, 0]]))).toEqual({ sameTokens: 1, tokens: 1, logitError: 0 });
    expect(agreementOf(image('', [[0, 3]]), image('', []))).toMatchObject({ logitError: NaN });
  });
});

describe('compareReport', () => {
  test('shows captions side by side, then the costs of each precision', () => {
    expect(compareReport(['a.png'], ['fp32', 'fast'], [first, other], false)).toBe(
      [
        'a.png',
        '  fp32\ta cat',
        '  fast\ta dog\ttokens 1/2\tlogit error 100.0 %',
        '',
        'fp32\tload 12 ms\tencode 20 ms\ttoken 4.0 ms\tmemory 100 MiB',
        'fast\tload 12 ms\tencode 20 ms\ttoken 4.0 ms\tmemory 100 MiB',
        '',
      ].join('\n'),
    );
  });

  test('has one JSON object per image and one for the summary', () => {
    const [line, summary] = compareReport(['a.png'], ['fp32', 'fast'], [first, other], true)
      .trim()
      .split('\n')
      .map((text): unknown => JSON.parse(text));
    expect(line).toEqual({
      image: 'a.png',
      precisions: [
        { dtype: 'fp32', text: 'a cat', tokenIds: [3, 2], sameTokens: 2, tokens: 2, logitError: 0 },
        { dtype: 'fast', text: 'a dog', tokenIds: [3, 2], sameTokens: 1, tokens: 2, logitError: 1 },
      ],
    });
    expect(summary).toEqual({
      summary: ['fp32', 'fast'].map((dtype) => ({ dtype, loadMs: 12.35, encodeMs: 20, tokenMs: 4, memoryMiB: 100 })),
    });
  });
});
