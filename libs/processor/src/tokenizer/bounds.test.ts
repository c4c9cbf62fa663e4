import { readFileSync } from 'node:fs';
import { join } from 'node:path';

import { isJsonObject, type JsonObject } from '@blip2/files';
import { describe, expect, test } from 'vitest';

import { createDecoder } from './decoders.ts';
import { MAX_STEPS } from './limits.ts';
import { readModel } from './models/read-model.ts';
import { createTextEncoder } from './text-encoder.ts';
import { Tokenizer } from './tokenizer.ts';
import { createWork } from './work.ts';

const file = (name: string): JsonObject =>
  JSON.parse(
    readFileSync(
      join(import.meta.dirname, '../../../../tools/parity/cases', name, 'checkpoint/tokenizer.json'),
      'utf8',
    ),
  ) as JsonObject;
const [opt, t5, bert, llama] = [file('opt'), file('t5'), file('itm'), file('instructblip-llama')];
const LONGEST = 32 * 1024;
const LONG_WORD = 'a'.repeat(LONGEST);

const list = <T>(length: number, entry: (index: number) => T): T[] =>
  Array.from({ length }, (_, index) => entry(index));
const withAdded = (tokens: readonly JsonObject[]): JsonObject => ({
  ...opt,
  added_tokens: tokens.map((token, index) => ({ id: 1000 + index, special: false, normalized: false, ...token })),
});
const withModel = (of: JsonObject, changes: JsonObject): JsonObject => ({
  ...of,
  added_tokens: [],
  pre_tokenizer: null,
  post_processor: null,
  model: { ...(isJsonObject(of['model']) ? of['model'] : {}), ...changes },
});
const idsOf = (tokens: readonly string[]): JsonObject => Object.fromEntries(tokens.map((token, id) => [token, id]));
const unigram = (pieces: readonly string[]): JsonObject =>
  withModel({}, { type: 'Unigram', unk_id: 0, vocab: ['<unk>', ...pieces].map((piece) => [piece, -1]) });
const sequence = (key: string, component: JsonObject): JsonObject => ({
  type: 'Sequence',
  [key]: list(16, () => component),
});
const growing = { type: 'Replace', pattern: { String: 'a' }, content: 'a'.repeat(64) };

/** A map whose trie gives every byte the same replacement. */
function charsmap(replacement: string): JsonObject {
  const units = new Uint32Array(769);
  units[0] = 4 * 768;
  units[1] = 256 << 10;
  for (let byte = 1; byte < 256; byte++) {
    units[1 + 256 + byte] = (768 << 10) | (1 << 8) | byte;
    units[1 + 512 + byte] = 0x80000000;
  }
  const bytes = Buffer.concat([Buffer.from(units.buffer), Buffer.from(`${replacement}\0`)]);
  return { type: 'Precompiled', precompiled_charsmap: bytes.toString('base64') };
}

function stepsOf(tokenizer: JsonObject, text: string): number {
  const work = createWork(Infinity);
  createTextEncoder(tokenizer, readModel(tokenizer['model']), [])(text, false, work);
  return work.steps;
}

/** Text per stage is at most a small multiple of the input, so steps per character bound the time. */
describe('texts of maximum length take few steps with stock tokenizers', () => {
  const texts = {
    words: 'a photo of the cat '.repeat(LONGEST / 19),
    ideographs: list(LONGEST, (index) => String.fromCodePoint(0x4e00 + ((index * 7919) % 20_000))).join(''),
    hangul: list(LONGEST, (index) => String.fromCodePoint(0xac00 + ((index * 7919) % 11_000))).join(''),
    'replacement characters': '\ufffd'.repeat(LONGEST),
    marks: 'e\u0302\u0301'.repeat(LONGEST / 3),
    'one word': LONG_WORD,
    spaces: ' '.repeat(LONGEST),
    'expanding characters': '\ufdfa'.repeat(LONGEST),
  };
  const tokenizers = { opt, t5, bert, llama };
  for (const [name, tokenizer] of Object.entries(tokenizers)) {
    test.each(Object.entries(texts))(`${name}: %s`, (kind, text) => {
      const factor = kind === 'expanding characters' ? 800 : 220;
      expect(stepsOf(tokenizer, text) / text.length).toBeLessThan(factor);
    });
  }
});

describe('hostile files are refused, or encode the longest text within the limit of steps', () => {
  const nested = (count: number): string[] => list(count, (index) => 'a'.repeat(2 ** index));
  const cases: Readonly<Record<string, readonly [tokenizer: JsonObject, text: string]>> = {
    'added tokens with a long common prefix': [
      withAdded(list(1000, (index) => ({ content: `${'a'.repeat(1000)}b${index}` }))),
      LONG_WORD,
    ],
    'normalised added tokens in a text that grows': [
      {
        ...withAdded(list(900, (index) => ({ content: `${'z'.repeat(1000)}b${index}`, normalized: true }))),
        normalizer: { type: 'Replace', pattern: { String: 'a' }, content: 'z'.repeat(18) },
      },
      LONG_WORD,
    ],
    'added tokens that take the white space around them': [
      withAdded([{ content: ' ', lstrip: true, rstrip: true }]),
      ' '.repeat(LONGEST),
    ],
    'whole words only': [withAdded([{ content: 'a', single_word: true }]), LONG_WORD],
    'pieces of all lengths': [unigram(list(128, (index) => 'a'.repeat(index + 1))), LONG_WORD],
    'pieces of all lengths in a text that grows': [
      { ...unigram(list(128, (index) => 'a'.repeat(index + 1))), normalizer: { ...growing, content: 'a'.repeat(19) } },
      LONG_WORD,
    ],
    'merges of one word': [
      withModel(opt, {
        vocab: idsOf(list(30, (index) => 'a'.repeat(index + 1))),
        merges: list(29, (index) => ['a'.repeat(index + 1), 'a']),
      }),
      LONG_WORD,
    ],
    'merges that double': [
      withModel(opt, { vocab: idsOf(nested(10)), merges: nested(9).map((token) => [token, token]) }),
      LONG_WORD,
    ],
    'byte fallback in a text that grows': [
      { ...llama, normalizer: { type: 'Replace', pattern: { String: 'a' }, content: '中'.repeat(19) } },
      LONG_WORD,
    ],
    'word pieces that almost match': [
      withModel(bert, {
        max_input_chars_per_word: 256,
        vocab: idsOf(['[UNK]', 'a', '##a', ...list(250, (index) => `##${'a'.repeat(index + 2)}b`)]),
      }),
      LONG_WORD,
    ],
    'a character map that expands': [{ ...t5, normalizer: charsmap('y'.repeat(255)) }, LONG_WORD],
    'character maps that expand again': [{ ...t5, normalizer: sequence('normalizers', charsmap('yy')) }, LONG_WORD],
    'a long replacement in a character map': [{ ...t5, normalizer: charsmap('y'.repeat(1e6)) }, LONG_WORD],
    'normalizers of BERT in sequence': [
      { ...bert, normalizer: sequence('normalizers', { type: 'BertNormalizer' }) },
      '中'.repeat(LONGEST),
    ],
    'normalizers that remove little': [
      { ...opt, normalizer: sequence('normalizers', { type: 'Strip', strip_left: true, strip_right: true }) },
      `${' '.repeat(16_000)}x${' '.repeat(16_000)}`,
    ],
    'pre-tokenizers that expand': [
      { ...opt, pre_tokenizer: sequence('pretokenizers', { type: 'ByteLevel', add_prefix_space: true }) },
      '中'.repeat(LONGEST),
    ],
    'pre-tokenizers that mark': [
      { ...opt, pre_tokenizer: sequence('pretokenizers', { type: 'Metaspace', replacement: '▁' }) },
      ' a'.repeat(LONGEST / 2),
    ],
  };
  test.each(Object.entries(cases))('%s', { timeout: 60_000 }, (_, [json, text]) => {
    const tokenizer = Tokenizer.fromJson({ tokenizer: json });
    let ids: readonly number[] = [];
    try {
      ids = tokenizer.encode(text);
    } catch (error) {
      expect(error).toMatchObject({ code: 'INVALID_TOKENIZER' });
    }
    expect(tokenizer.decode(ids).length).toBeLessThan(2 ** 24);
  });
});

describe('limits of files', () => {
  const refused: Readonly<Record<string, readonly [tokenizer: JsonObject, message: RegExp]>> = {
    'added tokens that are too long together': [
      withAdded(list(2000, (index) => ({ content: String(index).padEnd(1000, 'x') }))),
      /characters in all added tokens, got 2000000/,
    ],
    'too many tokens': [withModel(opt, { vocab: idsOf(list(2 ** 20 + 1, String)) }), /vocabulary is too large/],
    'too many merges': [withModel(opt, { merges: list(2 ** 20 + 1, () => 'a b') }), /vocabulary is too large/],
    'tokens that are too long together': [
      withModel(opt, { vocab: idsOf(list(9000, (index) => String(index).padEnd(1000, 'x'))) }),
      /vocabulary is too long/,
    ],
    'long pieces': [unigram(['a'.repeat(129)]), /entry 1/],
    'a merge of unknown tokens': [withModel(opt, { merges: [['a', 'nope']] }), /"nope" in entry 0/],
    'lone surrogates in a token': [withModel(opt, { vocab: { '\ud800': 0 } }), /no Unicode/],
    'lone surrogates in an added token': [withAdded([{ content: '\udc00' }]), /no usable content/],
    'post-processors that multiply': [
      {
        ...opt,
        post_processor: sequence('processors', {
          type: 'TemplateProcessing',
          single: [{ SpecialToken: { id: 'x' } }, { Sequence: { id: 'A' } }],
          special_tokens: { x: { ids: list(64, () => 1) } },
        }),
      },
      /post_processor adds too many tokens/,
    ],
    'a mark of several characters': [
      { ...opt, pre_tokenizer: { type: 'Metaspace', replacement: '  ' } },
      /replacement.*one character/,
    ],
    'an unknown behavior': [
      { ...opt, pre_tokenizer: { type: 'Punctuation', behavior: 'constructor' } },
      /Unknown behavior/,
    ],
  };
  test.each(Object.entries(refused))('%s', (_, [tokenizer, message]) => {
    expect(() => Tokenizer.fromJson({ tokenizer })).toThrow(
      expect.objectContaining({ code: 'INVALID_TOKENIZER', message: expect.stringMatching(message) }),
    );
  });
  test('decoders that expand a text are stopped', () => {
    const decode = createDecoder(sequence('decoders', growing));
    expect(() => decode(['a'.repeat(8)])).toThrow(expect.objectContaining({ code: 'INVALID_TOKENIZER' }));
  });
  test('steps are counted over all stages of a text', () => {
    expect(() => createWork().spend(MAX_STEPS + 1)).toThrow(expect.objectContaining({ code: 'INVALID_TOKENIZER' }));
    const work = createWork(10);
    work.spend(6);
    expect(() => work.spend(6)).toThrow(/at most 10 steps/);
  });
});

test('matching many added tokens takes steps for their common prefix only', () => {
  const tokens = list(4000, (index) => ({
    id: 1000 + index,
    content: `${index}${'q'.repeat(250)}`,
    special: false,
    normalized: false,
    lstrip: false,
    rstrip: false,
    singleWord: false,
  }));
  const work = createWork();
  const text = 'What is in the image?';
  createTextEncoder(opt, readModel(opt['model']), tokens)(text, false, work);
  expect(work.steps).toBeLessThan(100 * text.length);
});
