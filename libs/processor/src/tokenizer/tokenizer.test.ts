import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterAll, describe, expect, test } from 'vitest';

import { createModel } from './models/create-model.ts';
import { readModel } from './models/read-model.ts';
import { Tokenizer } from './tokenizer.ts';
import { createWork } from './work.ts';

type Json = Record<string, unknown>;
const checkpoint = (name: string): string =>
  join(import.meta.dirname, '../../../../tools/parity/cases', name, 'checkpoint');
const files = (name: string): Json =>
  JSON.parse(readFileSync(join(checkpoint(name), 'tokenizer.json'), 'utf8')) as Json;
const opt = await Tokenizer.fromPretrained(checkpoint('opt'));
const t5 = await Tokenizer.fromPretrained(checkpoint('t5'));
const llama = await Tokenizer.fromPretrained(checkpoint('instructblip-llama'));
const folder = mkdtempSync(join(tmpdir(), 'tokenizer-'));
afterAll(() => rmSync(folder, { recursive: true }));

const texts = ['a photo of', 'Question: how many cats are there? Answer:'];

/** The expected ids are those of HF Transformers 5.18. */
describe('batches', () => {
  const [short, long] = [
    [2, 68, 285, 329, 87, 82, 282],
    [2, 306, 29, 224, 75, 295, 338, 92, 400, 260, 269, 267, 269, 34, 308, 29],
  ];
  test('have rows of different lengths without padding', () => {
    expect(opt.batchEncode(texts)).toEqual({
      inputIds: [short, long],
      attentionMask: [short.map(() => 1), long.map(() => 1)],
    });
  });
  test("are padded to the longest row, on the tokenizer's or the given side", () => {
    const fill = Array.from({ length: 9 }, () => 1);
    const zeros = fill.map(() => 0);
    expect(opt.batchEncode(texts, { padding: true })).toEqual({
      inputIds: [[...short, ...fill], long],
      attentionMask: [[...short.map(() => 1), ...zeros], long.map(() => 1)],
    });
    expect(opt.batchEncode(texts, { padding: 'longest', paddingSide: 'left' })).toEqual({
      inputIds: [[...fill, ...short], long],
      attentionMask: [[...zeros, ...short.map(() => 1)], long.map(() => 1)],
    });
  });
  test('are truncated if maxLength is set without padding', () => {
    expect(opt.batchEncode(texts, { maxLength: 4 }).inputIds).toEqual([
      [2, 68, 285, 329],
      [2, 306, 29, 224],
    ]);
    expect(opt.batchEncode(texts, { maxLength: 4, truncation: false }).inputIds).toEqual([short, long]);
    expect(opt.batchEncode(texts, { maxLength: 4, padding: true }).inputIds[1]).toEqual(long);
    expect(opt.batchEncode(texts, { maxLength: 12, padding: 'max_length' }).inputIds.map((row) => row.length)).toEqual([
      12, 16,
    ]);
  });
  test('keep the special tokens when truncated', () => {
    expect(opt.batchEncode(texts, { maxLength: 1 }).inputIds).toEqual([[2], [2]]);
    expect(t5.batchEncode(texts, { maxLength: 1 }).inputIds).toEqual([[1], [1]]);
    expect(opt.batchEncode(texts, { maxLength: 0, addSpecialTokens: false }).inputIds).toEqual([[], []]);
    expect(opt.batchEncode(texts, { maxLength: 4, truncationSide: 'left' }).inputIds).toEqual([
      [2, 87, 82, 282],
      [2, 34, 308, 29],
    ]);
  });
  test('use the truncation side of the files', () => {
    expect([opt.truncationSide, llama.truncationSide]).toEqual(['right', 'left']);
    expect(llama.batchEncode(texts, { maxLength: 5 }).inputIds[0]).toEqual([
      2,
      ...llama.encode(texts[0] ?? '').slice(-4),
    ]);
  });
  test('use the maximum length of the files, if any', () => {
    expect([opt.modelMaxLength, t5.modelMaxLength]).toEqual([Infinity, 512]);
    expect(
      opt.batchEncode(['a'.repeat(9)], { truncation: true, padding: 'max_length' }).inputIds[0]?.length,
    ).toBeLessThan(12);
    expect(t5.batchEncode(['x y '.repeat(600)], { truncation: true }).inputIds[0]?.length).toBe(512);
    expect(t5.batchEncode(['x'], { padding: 'max_length' }).inputIds[0]?.length).toBe(512);
  });
  test('reject invalid options', () => {
    const codeOf = (options: object): unknown => {
      try {
        opt.batchEncode(texts, options);
        return 'none';
      } catch (error) {
        return (error as { code?: unknown }).code;
      }
    };
    const bad: readonly object[] = [
      { maxLength: -1 },
      { maxLength: 1.5 },
      { maxLength: Number.NaN },
      { paddingSide: 'middle' },
      { truncationSide: 'up' },
      { maxLength: 0 },
    ];
    expect(bad.map(codeOf)).toEqual(bad.map(() => 'INVALID_ARGUMENT'));
    expect(() => Tokenizer.fromJson({ tokenizer: files('opt') }).batchEncode(texts, { padding: true })).toThrow(
      /no pad token/,
    );
  });
});

describe('special tokens inside a text', () => {
  test('are matched, as in HF, or plain text when escaped', () => {
    expect(opt.encode('</s> a')).toEqual([2, 2, 260]);
    const escaped = opt.encode('</s> a', { escapeSpecialTokens: true });
    expect(escaped.slice(1)).not.toContain(2);
    expect(opt.decode(escaped, { skipSpecialTokens: true })).toBe('</s> a');
  });
  test('are not produced by Unigram pieces or compatibility characters when escaped', () => {
    for (const text of ['</s>', '＜／ｓ＞', '<extra_id_3>', '<image>', '<pad>']) {
      const ids = t5.encode(text, { escapeSpecialTokens: true, addSpecialTokens: false });
      expect(ids.filter((id) => [0, 1, 392, 396].includes(id))).toEqual([]);
    }
    expect(t5.encode('</s>', { addSpecialTokens: false })).toEqual([1]);
  });
  test('can be added once, at the next free id', async () => {
    const bare = { ...files('opt-legacy-fp16') };
    expect(Tokenizer.fromJson({ tokenizer: bare }).tokenToId('<image>')).toBeUndefined();
    const added = Tokenizer.fromJson({ tokenizer: bare }, { extraSpecialTokens: ['<image>'] });
    expect([added.tokenToId('<image>'), added.encode('<image>', { addSpecialTokens: false })]).toEqual([300, [300]]);
    expect(
      (await Tokenizer.fromPretrained(checkpoint('opt'), { extraSpecialTokens: ['<image>'] })).tokenToId('<image>'),
    ).toBe(420);
  });
  test('keep their flags: include white space, whole words only', () => {
    const tokenizer = files('opt');
    const flagged = (flags: Json): Tokenizer =>
      Tokenizer.fromJson({
        tokenizer: {
          ...tokenizer,
          added_tokens: [{ id: 420, content: 'cat', special: false, normalized: false, ...flags }],
        },
      });
    expect(flagged({}).encode('a cat s', { addSpecialTokens: false })).toContain(420);
    expect(flagged({}).encode('cats', { addSpecialTokens: false })).toContain(420);
    expect(flagged({ single_word: true }).encode('cats', { addSpecialTokens: false })).not.toContain(420);
    expect(flagged({ lstrip: true, rstrip: true }).encode('a  cat  s', { addSpecialTokens: false })).toEqual([
      68, 420, 86,
    ]);
  });
});

describe('decoding', () => {
  test('of no ids and of unknown ids gives an empty text', () => {
    expect([opt.decode([]), opt.decode([9999, -1, 1.5])]).toEqual(['', '']);
  });
  test('turns incomplete UTF-8 into U+FFFD and joins characters across tokens', () => {
    const ids = opt.encode('日', { addSpecialTokens: false });
    expect(ids.length).toBeGreaterThan(1);
    expect([opt.decode(ids), opt.decode(ids.slice(0, -1))]).toEqual(['日', '\ufffd']);
    const bytes = llama.encode('日', { addSpecialTokens: false });
    expect(llama.decode(bytes.slice(0, -1))).toContain('\ufffd\ufffd');
  });
});

test('rejects long texts, and encodes those of maximum length', { timeout: 60_000 }, () => {
  for (const text of ['a'.repeat(1e6), ' '.repeat(1e6), '😀'.repeat(1e6)])
    expect(() => opt.encode(text)).toThrow(expect.objectContaining({ code: 'SEQUENCE_TOO_LONG' }));
  for (const text of ['a'.repeat(32_768), ' '.repeat(32_768), '</s>'.repeat(8000), '😀'.repeat(16_000)]) {
    for (const tokenizer of [opt, t5, llama]) expect(tokenizer.encode(text).length).toBeGreaterThan(0);
  }
  expect(() => opt.encode(5 as never)).toThrow(expect.objectContaining({ code: 'INVALID_ARGUMENT' }));
});

test('encodes lone surrogates as U+FFFD', () => {
  expect(opt.encode('a\ud800b')).toEqual(opt.encode('a\ufffdb'));
});

describe('rejects invalid and unsafe files', () => {
  const base = files('opt');
  const bert = files('itm');
  const unigram = files('t5');
  const model = (changes: Json, of: Json = base): Json => ({ ...of, model: { ...(of['model'] as Json), ...changes } });
  const hostile = { type: 'Split', pattern: { Regex: '(a+)+$' }, behavior: 'Isolated', invert: false };
  const nested = (depth: number): unknown =>
    depth === 0 ? null : { type: 'Sequence', normalizers: [nested(depth - 1)] };
  const cases: readonly (readonly [string, Json, RegExp])[] = [
    ['no model', { added_tokens: [] }, /no model/],
    ['an unknown model', model({ type: 'Legacy' }), /Legacy/],
    ['an unknown normalizer', { ...base, normalizer: { type: 'Nmt' } }, /Nmt/],
    ['an inherited property as a type', { ...base, normalizer: { type: 'constructor' } }, /constructor/],
    ['an unknown pre_tokenizer', { ...base, pre_tokenizer: { type: 'UnicodeScripts' } }, /UnicodeScripts/],
    ['an unknown decoder', { ...base, decoder: { type: 'CTC' } }, /CTC/],
    ['an unknown post_processor', { ...base, post_processor: { type: 'Magic' } }, /Magic/],
    ['a component without a type', { ...base, normalizer: {} }, /type/],
    ['an unknown regular expression', { ...base, pre_tokenizer: hostile }, /pattern.*\(a\+\)\+\$/],
    ['one inside a sequence', { ...base, pre_tokenizer: { type: 'Sequence', pretokenizers: [hostile] } }, /pattern/],
    [
      'one in a normalizer',
      { ...base, normalizer: { type: 'Replace', pattern: { Regex: '(a|a)*b' }, content: '' } },
      /pattern/,
    ],
    ['deep nesting', { ...base, normalizer: nested(1000) }, /too many/],
    [
      'long sequences',
      { ...base, normalizer: { type: 'Sequence', normalizers: Array.from({ length: 17 }, () => ({ type: 'NFC' })) } },
      /too many/,
    ],
    ['long insertions', { ...base, normalizer: { type: 'Prepend', prepend: 'x'.repeat(65) } }, /prepend/],
    ['a vocabulary that is not an object', model({ vocab: [] }), /vocabulary/],
    ['two tokens with one id', model({ vocab: { a: 0, b: 0 } }), /share an id/],
    ['an id beyond the limit', model({ vocab: { a: 2 ** 31 } }), /usable id/],
    ['a negative id', model({ vocab: { a: -1 } }), /usable id/],
    ['a fractional id', model({ vocab: { a: 0.5 } }), /usable id/],
    ['a merge that is not a pair', model({ merges: ['a b c'] }), /merge/],
    ['dropout', model({ dropout: 0.1 }), /dropout/],
    [
      'an added token with two ids',
      {
        ...base,
        added_tokens: [
          { id: 1, content: 'x' },
          { id: 2, content: 'x' },
        ],
      },
      /two ids/,
    ],
    ['an added token without id', { ...base, added_tokens: [{ content: 'x' }] }, /usable id/],
    ['an empty added token', { ...base, added_tokens: [{ id: 500, content: '' }] }, /content/],
    [
      'a template without the text',
      { ...base, post_processor: { type: 'TemplateProcessing', single: [], special_tokens: {} } },
      /exactly once/,
    ],
    [
      'a template with an unknown token',
      {
        ...base,
        post_processor: {
          type: 'TemplateProcessing',
          single: [{ SpecialToken: { id: 'nope' } }, { Sequence: { id: 'A' } }],
          special_tokens: {},
        },
      },
      /nope/,
    ],
    ['unlimited word length', model({ max_input_chars_per_word: 1e9 }, bert), /too long/],
    ['no token for unknown words', model({ unk_token: 'nope' }, bert), /nope/],
    ['pieces without scores', model({ vocab: [['a']] }, unigram), /piece/],
    ['an unknown piece out of range', model({ unk_id: 1e6 }, unigram), /unk_id/],
    [
      'a damaged character map',
      { ...unigram, normalizer: { type: 'Precompiled', precompiled_charsmap: 'AAAA' } },
      /damaged/,
    ],
  ];
  test.each(cases)('%s', (_, tokenizer, message) => {
    expect(() => Tokenizer.fromJson({ tokenizer })).toThrow(
      expect.objectContaining({ code: 'INVALID_TOKENIZER', message: expect.stringMatching(message) }),
    );
  });
  test('a normalizer that expands a text too much', () => {
    const double = { type: 'Replace', pattern: { String: 'a' }, content: 'a'.repeat(64) };
    const bomb = Tokenizer.fromJson({
      tokenizer: {
        ...base,
        added_tokens: [],
        normalizer: { type: 'Sequence', normalizers: Array.from({ length: 16 }, () => double) },
      },
    });
    expect(() => bomb.encode('aaaa')).toThrow(expect.objectContaining({ code: 'INVALID_TOKENIZER' }));
  });
  test('positions outside a damaged trie are ignored', () => {
    const trie = Buffer.alloc(4 + 4 * 4, 0xff);
    trie.writeUInt32LE(16, 0);
    const tokenizer = Tokenizer.fromJson({
      tokenizer: { ...unigram, normalizer: { type: 'Precompiled', precompiled_charsmap: trie.toString('base64') } },
    });
    expect(tokenizer.encode('héllo').length).toBeGreaterThan(1);
  });
  test.each([
    ['invalid JSON', '{"model":'],
    ['a list', '[]'],
    ['bad UTF-8', Buffer.from([0x7b, 0xff, 0x7d])],
    ['too large', ' '.repeat(32 * 1024 * 1024 + 1)],
  ])('%s', async (_, content) => {
    writeFileSync(join(folder, 'tokenizer.json'), content);
    await expect(Tokenizer.fromPretrained(folder)).rejects.toMatchObject({ code: 'INVALID_TOKENIZER' });
  });
  test('a missing tokenizer.json, with advice', async () => {
    await expect(Tokenizer.fromPretrained(import.meta.dirname)).rejects.toMatchObject({
      code: 'MISSING_FILE',
      message: expect.stringContaining('save_pretrained'),
    });
    await expect(Tokenizer.fromPretrained(join(folder, 'nowhere'))).rejects.toMatchObject({
      code: 'MISSING_FILE',
      message: expect.stringContaining('folder does not exist'),
    });
    for (const subfolder of ['../elsewhere', 'a/../../b', '/etc', 'a\\..\\b'])
      await expect(Tokenizer.fromPretrained(folder, { subfolder })).rejects.toMatchObject({ code: 'UNSAFE_PATH' });
  });
});

test('accepts older formats: merges as strings, add_prefix_space, no model type', () => {
  const base = files('opt');
  const untyped = { ...(base['model'] as Json) };
  delete untyped['type'];
  const merges = (untyped['merges'] as unknown[]).map((merge) => (Array.isArray(merge) ? merge.join(' ') : merge));
  expect(Tokenizer.fromJson({ tokenizer: { ...base, model: { ...untyped, merges } } }).encode(texts[1] ?? '')).toEqual(
    opt.encode(texts[1] ?? ''),
  );
  const unigram = files('t5');
  const metaspace = { type: 'Metaspace', replacement: '▁', add_prefix_space: true };
  const old = {
    ...unigram,
    pre_tokenizer: { type: 'Sequence', pretokenizers: [{ type: 'WhitespaceSplit' }, metaspace] },
    decoder: metaspace,
  };
  const ids = t5.encode('a photo of');
  expect(Tokenizer.fromJson({ tokenizer: old }).encode('a photo of')).toEqual(ids);
  expect(Tokenizer.fromJson({ tokenizer: old }).decode(ids)).toBe(t5.decode(ids));
});

test('special_tokens_map.json takes precedence in folders without added_tokens_decoder, as in HF', () => {
  const tokenizer = files('opt');
  const specialTokensMap = { bos_token: { content: '</s>' } };
  const config = { bos_token: '<s>', eos_token: '</s>' };
  const old = Tokenizer.fromJson({ tokenizer, config, specialTokensMap });
  expect([old.bosTokenId, old.eosTokenId]).toEqual([2, 2]);
  const current = { ...config, added_tokens_decoder: { 0: { content: '<s>', special: true } } };
  expect(Tokenizer.fromJson({ tokenizer, config: current, specialTokensMap }).bosTokenId).toBe(0);
});

test('models are type-checked: these lines do not compile without their comments', () => {
  const encode = createModel(readModel(files('opt')['model']));
  const ids: readonly number[] = encode(['a'], createWork());
  expect(ids).toEqual([68]);
  // @ts-expect-error Words are strings.
  const wrongInput = (): unknown => encode([5], createWork());
  // @ts-expect-error Ids are numbers.
  const wrongOutput = (): string => encode(['a'], createWork())[0];
  // @ts-expect-error A string, not a list.
  const wrongText = (): unknown => opt.encode(['a']);
  expect([wrongInput, wrongOutput, wrongText]).toHaveLength(3);
});
