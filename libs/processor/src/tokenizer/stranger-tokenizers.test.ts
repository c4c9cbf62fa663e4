import { readFileSync } from 'node:fs';
import { join } from 'node:path';

import type { JsonObject } from '@blip2/files';
import { describe, expect, test } from 'vitest';

import { Tokenizer } from './tokenizer.ts';

interface Recorded {
  readonly texts: readonly string[];
  readonly cases: readonly {
    readonly name: string;
    readonly tokenizer: JsonObject;
    readonly ids: readonly (readonly number[])[];
    readonly rows: readonly (readonly number[])[];
    readonly decoded: readonly string[];
    readonly decodedWithoutSpecial: readonly string[];
  }[];
}

/** Recorded by `fixtures/make-fixtures.py`. */
const recorded = JSON.parse(
  readFileSync(join(import.meta.dirname, 'fixtures/stranger-tokenizers.json'), 'utf8'),
) as Recorded;

/** Tokenizers of other models: all supported models and components. */
describe.each(recorded.cases)('$name equals the Rust library', (expected) => {
  const tokenizer = Tokenizer.fromJson({ tokenizer: expected.tokenizer });
  test('encodes every text to the same ids', () => {
    expect(recorded.texts.map((text) => tokenizer.encode(text))).toEqual(expected.ids);
  });
  test('decodes random ids to the same texts', () => {
    expect(tokenizer.batchDecode(expected.rows)).toEqual(expected.decoded);
    expect(tokenizer.batchDecode(expected.rows, { skipSpecialTokens: true })).toEqual(expected.decodedWithoutSpecial);
  });
});
