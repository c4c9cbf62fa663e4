import { join } from 'node:path';

import type { NewToken } from '@blip2/generate';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { Blip2 } from './blip2.ts';

const root = join(import.meta.dirname, '../../../..');
const image = join(root, 'examples/left-of.png');
const question = 'what color is the triangle?';

/** Options that abort after a number of tokens. */
function abortAfter(tokens: number): { readonly signal: AbortSignal; readonly onToken: () => void } {
  const controller = new AbortController();
  let count = 0;
  return { signal: controller.signal, onToken: () => void (++count === tokens && controller.abort()) };
}
async function piecesOf(stream: AsyncIterable<string>): Promise<string[]> {
  const pieces: string[] = [];
  for await (const piece of stream) pieces.push(piece);
  return pieces;
}

describe.each(['opt', 't5'])('a text stream of the demo checkpoint with %s', (kind) => {
  let blip2: Blip2;
  beforeAll(async () => {
    blip2 = await Blip2.fromPretrained(join(root, `apps/cli/models/blip2-${kind}-shapes`));
  });
  afterAll(() => blip2.dispose());

  test('yields pieces that join to the text, and resolves with the same result', async () => {
    const expected = await blip2.caption(image);
    const stream = blip2.caption(image);
    const pieces = await piecesOf(stream);
    expect(pieces.length).toBeGreaterThan(5);
    expect(pieces).not.toContain('');
    expect(pieces.join('')).toBe(expected.text);
    expect((await stream).tokenIds).toEqual(expected.tokenIds);
    expect(await piecesOf(stream)).toEqual(pieces);
  });

  test('can be awaited first and iterated then', async () => {
    const stream = blip2.answer(image, question);
    const { text } = await stream;
    expect((await piecesOf(stream)).join('')).toBe(text);
    expect(text).not.toBe('');
  });

  test('runs the model once for several concurrent consumers', async () => {
    const tokens: NewToken[] = [];
    const stream = blip2.caption(image, { onToken: (token) => tokens.push(token) });
    const [left, right, result] = await Promise.all([piecesOf(stream), piecesOf(stream), stream]);
    expect(left).toEqual(right);
    expect(tokens.map(({ id }) => id)).toEqual(result.tokenIds);
    expect(tokens.at(-1)).toMatchObject({ row: 0, finishReason: 'eos' });
    expect(tokens.reduce((sum, { logProb }) => sum + logProb, 0)).toBeCloseTo(result.score, 10);
  });

  test('does nothing before its first use', async () => {
    const tokens: NewToken[] = [];
    const stream = blip2.caption(image, { onToken: (token) => tokens.push(token) });
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect([tokens, stream.partial]).toEqual([[], undefined]);
  });

  test('stops before the next token when its reader leaves, with the result so far', async () => {
    const whole = await blip2.caption(image);
    const tokens: NewToken[] = [];
    const stream = blip2.caption(image, { onToken: (token) => tokens.push(token) });
    for await (const piece of stream) if (piece.length > 0 && tokens.length >= 3) break;
    expect(tokens).toHaveLength(3);
    expect(await stream).toMatchObject({ tokenIds: whole.tokenIds.slice(0, 3), finishReason: 'aborted' });
    expect(whole.text.startsWith((await stream).text)).toBe(true);
  });

  test('rejects when it is aborted, and keeps the result so far', async () => {
    const whole = await blip2.caption(image);
    const stream = blip2.caption(image, abortAfter(2));
    const pieces: string[] = [];
    await expect(
      (async () => {
        for await (const piece of stream) pieces.push(piece);
      })(),
    ).rejects.toMatchObject({ name: 'AbortError' });
    await expect(stream).rejects.toMatchObject({ name: 'AbortError' });
    expect(stream.partial).toMatchObject({ tokenIds: whole.tokenIds.slice(0, 2), finishReason: 'aborted' });
    expect(pieces.join('')).toBe(stream.partial?.text);
  });

  test('yields one piece at the end of a beam search', async () => {
    const stream = blip2.caption(image, { numBeams: 3 });
    expect(await piecesOf(stream)).toEqual([(await stream).text]);
  });

  test('behaves like any promise', async () => {
    const broken = blip2.caption(join(root, 'nowhere.png'));
    expect(await broken.catch((error: unknown) => error)).toMatchObject({ code: 'MISSING_FILE' });
    await expect(piecesOf(broken)).rejects.toMatchObject({ code: 'MISSING_FILE' });
    expect(broken.partial).toBeUndefined();
    let isSettled = false;
    expect((await blip2.caption(image).finally(() => (isSettled = true))).text).not.toBe('');
    expect(isSettled).toBe(true);
  });

  test('yields no piece if the first token ends the text', async () => {
    const end = blip2.pipeline.language.specialTokens.eosTokenId;
    const only = (_: readonly number[], scores: Float32Array): void =>
      scores.forEach((__, id) => {
        if (id !== end) scores[id] = -Infinity;
      });
    const stream = blip2.caption(image, { logitsProcessors: [only] });
    expect(await piecesOf(stream)).toEqual([]);
    expect(await stream).toMatchObject({ text: '', finishReason: 'eos', tokenIds: [end] });
  });

  test('reports the row of each token of a batch', async () => {
    const tokens: NewToken[] = [];
    const results = await blip2.answer(image, [question, 'what is on the left?', 'how many objects are there?'], {
      onToken: (token) => tokens.push(token),
    });
    expect(results.map((_, row) => tokens.filter((token) => token.row === row).map(({ id }) => id))).toEqual(
      results.map(({ tokenIds }) => tokenIds),
    );
  });
});

describe('characters of several tokens', () => {
  test('are yielded whole', async () => {
    await using blip2 = await Blip2.fromPretrained(join(root, 'apps/cli/models/blip2-opt-shapes'));
    const text = 'naïve 猫 🐈 ok';
    const script = [
      ...blip2.processor.tokenizer.encode(text, { addSpecialTokens: false }),
      blip2.pipeline.language.specialTokens.eosTokenId,
    ].flat();
    const { inputIds = [] } = blip2.processor.tokenizer.batchEncode(['x'], { addSpecialTokens: true });
    const start = (blip2.processor.numQueryTokens ?? 0) + (inputIds[0]?.length ?? 0);
    const recite = (ids: readonly number[], scores: Float32Array): void => {
      scores.fill(-Infinity);
      scores[script[ids.length - start] ?? 0] = 0;
    };
    const stream = blip2.answer(image, 'x', {
      rawPrompt: true,
      logitsProcessors: [recite],
      maxNewTokens: script.length,
    });
    const pieces = await piecesOf(stream);
    expect((await stream).text).toBe(text);
    expect(pieces.join('')).toBe(text);
    expect(script.length).toBeGreaterThan(pieces.length + 3);
    for (const piece of pieces) expect(piece).not.toContain('\uFFFD');
  });
});
