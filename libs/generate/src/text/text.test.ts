import { pseudoRandom } from '@blip2/testing';
import { describe, expect, test } from 'vitest';

import { createIncrementalDecoder } from './incremental-decoder.ts';
import { createTextStreamer } from './text-streamer.ts';

/** A byte-level tokenizer: each id is a byte. */
const decodeBytes = (ids: readonly number[]): string => new TextDecoder().decode(Uint8Array.from(ids));
const encodeBytes = (text: string): number[] => [...new TextEncoder().encode(text)];

/** Drops the space of the first word, like SentencePiece. */
const words = ['▁a', '▁cat', 's', '▁on', '▁', 'é', ''];
const decodeWords = (ids: readonly number[]): string =>
  ids
    .map((id) => words[id])
    .join('')
    .replaceAll('▁', ' ')
    .replace(/^ /, '');

describe('createIncrementalDecoder', () => {
  test('emits complete characters only', () => {
    const decoder = createIncrementalDecoder(decodeBytes);
    const pieces = encodeBytes('a é 猫🐈!').map((id) => decoder.push(id));
    expect(pieces.filter((piece) => piece !== '')).toEqual(['a', ' ', 'é', ' ', '猫', '🐈', '!']);
    expect(decoder.flush()).toBe('');
  });

  test('incomplete characters are emitted at the end', () => {
    const decoder = createIncrementalDecoder(decodeBytes);
    expect(
      encodeBytes('a猫')
        .slice(0, 3)
        .map((id) => decoder.push(id)),
    ).toEqual(['a', '', '']);
    expect(decoder.flush()).toBe('\uFFFD');
    expect(decoder.flush()).toBe('');
  });

  test.each([
    { name: 'bytes', decode: decodeBytes, vocabulary: 256 },
    { name: 'words', decode: decodeWords, vocabulary: words.length },
  ])('the concatenated pieces equal the whole text: $name', ({ decode, vocabulary }) => {
    for (let seed = 0; seed < 200; seed++) {
      const ids = Array.from({ length: 12 }, (_, index) =>
        Math.floor(((pseudoRandom(seed, index) + 1) / 2) * vocabulary),
      );
      const decoder = createIncrementalDecoder(decode);
      expect(ids.map((id) => decoder.push(id)).join('') + decoder.flush()).toBe(decode(ids));
    }
  });

  test('the cost per token does not grow with the text', () => {
    let decoded = 0;
    const decoder = createIncrementalDecoder((ids) => {
      decoded += ids.length;
      return decodeBytes(ids);
    });
    for (let count = 0; count < 1000; count++) decoder.push(97);
    expect(decoded).toBeLessThan(4000);
  });
});

describe('createTextStreamer', () => {
  test('decodes rows independently and emits no empty pieces', () => {
    const emitted: [number, string][] = [];
    const streamer = createTextStreamer(decodeBytes, (piece, row) => emitted.push([row, piece]));
    const [first, second] = encodeBytes('é');
    streamer.put(0, first!);
    streamer.put(1, 98);
    streamer.put(0, second!);
    streamer.put(1, first!);
    streamer.end();
    expect(emitted).toEqual([
      [1, 'b'],
      [0, 'é'],
      [1, '\uFFFD'],
    ]);
  });
});
