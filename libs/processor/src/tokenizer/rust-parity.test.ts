import { readFileSync } from 'node:fs';
import { join } from 'node:path';

import { describe, expect, test } from 'vitest';

import { Tokenizer } from './tokenizer.ts';

interface Recorded {
  readonly texts: readonly string[];
  readonly cases: readonly {
    readonly case: string;
    readonly inputIds: readonly (readonly number[])[];
    /** `null` for Unigram, where the Rust library itself produces special pieces. */
    readonly escapedInputIds: readonly (readonly number[])[] | null;
    readonly ids: readonly (readonly number[])[];
    readonly decoded: readonly string[];
    readonly decodedWithoutSpecial: readonly string[];
  }[];
}

const read = (file: string): never => JSON.parse(readFileSync(file, 'utf8')) as never;
const recorded: Recorded = read(join(import.meta.dirname, 'fixtures/rust-tokenizers.json'));
const load = (name: string): Tokenizer =>
  Tokenizer.fromJson({
    tokenizer: read(join(import.meta.dirname, '../../../../tools/parity/cases', name, 'checkpoint/tokenizer.json')),
  });

/** Texts: scripts, ligatures, joined emoji, ideographs beyond the basic plane, special tokens within words. */
describe.each(recorded.cases)('$case equals the Rust library', (expected) => {
  const tokenizer = load(expected.case);
  test('encodes every text to the same ids', () => {
    expect(recorded.texts.map((text) => tokenizer.encode(text))).toEqual(expected.inputIds);
  });
  const escaped = recorded.texts.map((text) => tokenizer.encode(text, { escapeSpecialTokens: true }));
  if (expected.escapedInputIds) {
    test('encodes every text to the same ids when special tokens are escaped', () => {
      expect(escaped).toEqual(expected.escapedInputIds);
    });
  }
  test('escaped texts contain no special tokens', () => {
    const unknown = tokenizer.encode('\u{10fffe}', { addSpecialTokens: false });
    const frame = tokenizer.encode('');
    const special = ['</s>', '<pad>', '<s>', '<image>', '<extra_id_3>', '[SEP]', '[CLS]', '[PAD]']
      .map((token) => tokenizer.tokenToId(token))
      .filter((id) => id !== undefined && !unknown.includes(id));
    expect(special.length).toBeGreaterThan(2);
    const inside = escaped.flatMap((ids) =>
      ids.slice(frame.indexOf(ids[0] ?? -1) + 1, frame.includes(ids.at(-1) ?? -1) && frame.length > 0 ? -1 : undefined),
    );
    expect(inside.filter((id) => special.includes(id))).toEqual([]);
  });
  test('decodes random ids to the same texts, unknown ids to nothing', () => {
    expect(tokenizer.batchDecode(expected.ids)).toEqual(expected.decoded);
    expect(tokenizer.batchDecode(expected.ids, { skipSpecialTokens: true })).toEqual(expected.decodedWithoutSpecial);
  });
});
