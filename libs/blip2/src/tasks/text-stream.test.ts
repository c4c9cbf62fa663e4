import type { GenerateOutput, Generation, GenerationStep, NewToken } from '@blip2/generate';
import { Blip2Error } from '@blip2/interfaces';
import { expect, test } from 'vitest';

import { createTextStream, type TextStream } from './text-stream.ts';

/** Decodes runs of bytes as Llama's tokenizer does: one byte that is not a character spoils its whole run. */
const decode = (ids: readonly number[]): string => {
  const text = Buffer.from(ids).toString('utf8');
  return text.includes('\uFFFD') ? '\uFFFD'.repeat(ids.length) : text;
};

/** A generation that yields these ids one by one. */
function recite(ids: readonly number[]): Generation {
  const output = (): GenerateOutput => ({
    sequences: [[...ids]],
    tokenLogProbs: [ids.map(() => -1)],
    finishReasons: ['length'],
  });
  async function* run(): AsyncGenerator<GenerationStep, GenerateOutput, undefined> {
    for (const [step, id] of ids.entries()) yield { step, tokens: [{ row: 0, id, logProb: -1 }] };
    return output();
  }
  return Object.assign(run(), { output });
}

async function piecesOf(text: string, cut: number): Promise<string[]> {
  const stream = createTextStream({ decode }, async () => ({
    generation: recite([...Buffer.from(text)].slice(0, cut)),
    before: { preprocess: 0, encode: 0 },
    startedAt: performance.now(),
    onToken: undefined,
  }));
  const pieces: string[] = [];
  for await (const piece of stream) pieces.push(piece);
  return pieces;
}

test('yields a character of several bytes as one piece', async () => {
  expect(await piecesOf('a猫b', 5)).toEqual(['a', '猫', 'b']);
});

test('yields the rest of the text if earlier bytes are decoded differently at the end', async () => {
  expect(await piecesOf('a猫b', 3)).toEqual(['a', '\uFFFD\uFFFD']);
});

/** A stream of "abc" that logs its disposal. */
function logged(log: string[], onToken: (token: NewToken) => void): TextStream {
  return createTextStream({ decode }, async (resources) => {
    resources.defer(() => void log.push('disposed'));
    return {
      generation: recite([...Buffer.from('abc')]),
      before: { preprocess: 0, encode: 0 },
      startedAt: performance.now(),
      onToken,
    };
  });
}

test('disposes of its resources when the reader leaves, and calls onToken no more', async () => {
  const log: string[] = [];
  const stream = logged(log, ({ id }) => void log.push(String.fromCharCode(id)));
  for await (const piece of stream) if (piece === 'a') break;
  expect(log).toEqual(['a', 'disposed']);
});

test('rejects with an error of onToken after disposing of its resources', async () => {
  const log: string[] = [];
  const stream = logged(log, () => {
    throw new Blip2Error('INVALID_STATE', 'refused');
  });
  await expect(stream).rejects.toThrow('refused');
  expect(log).toEqual(['disposed']);
});
