import type { GenerationStep } from '@blip2/generate';
import { expect, test } from 'vitest';

import type { Writing } from './task-generation.ts';
import { createTextStream } from './text-stream.ts';

/** Reads runs of bytes as Llama's tokenizer does: one byte that is no character spoils its whole run. */
const decode = (ids: readonly number[]): string => {
  const text = Buffer.from(ids).toString('utf8');
  return text.includes('\uFFFD') ? '\uFFFD'.repeat(ids.length) : text;
};

function write(ids: readonly number[]): Writing {
  async function* run(): AsyncGenerator<GenerationStep, void, undefined> {
    for (const [step, id] of ids.entries()) yield { step, tokens: [{ row: 0, id, logProb: -1 }] };
  }
  const results: Writing['results'] = () => [
    {
      text: decode(ids),
      tokenIds: ids,
      score: -1,
      finishReason: 'length',
      timings: { preprocess: 0, encode: 0, generate: 0 },
    },
  ];
  return Object.assign(run(), { results });
}

async function piecesOf(text: string, cut: number): Promise<string[]> {
  const pieces: string[] = [];
  for await (const piece of createTextStream({ decode }, () => write([...Buffer.from(text)].slice(0, cut))))
    pieces.push(piece);
  return pieces;
}

test('characters of several bytes come whole', async () => {
  expect(await piecesOf('a猫b', 5)).toEqual(['a', '猫', 'b']);
});

test('what stands behind a piece that would now be read otherwise is not lost', async () => {
  expect(await piecesOf('a猫b', 3)).toEqual(['a', '\uFFFD\uFFFD']);
});
