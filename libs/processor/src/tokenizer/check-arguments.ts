import type { ResolveOptions } from '@blip2/hub';
import { Blip2Error, expectKnownOptions, mustBe, type TokenIds } from '@blip2/interfaces';

import { MAX_TEXT_LENGTH } from './limits.ts';
import { BATCH_ENCODE_OPTIONS } from './padding.ts';

const BATCHES_ONLY = 'Only batchEncode and process pad and truncate';
/** What to use instead of options of HF that do not exist here. */
export const TEXT_REPLACEMENTS: Readonly<Record<string, string>> = {
  returnTensors: 'Rows of ids are plain arrays',
  return_tensors: 'Rows of ids are plain arrays',
  returnAttentionMask: 'The attention mask is always returned',
  return_attention_mask: 'The attention mask is always returned',
  padToMultipleOf: "Pass padding: 'max_length' with a multiple as maxLength",
  pad_to_multiple_of: "Pass padding: 'max_length' with a multiple as maxLength",
  textPair: 'Text pairs are not supported',
  text_pair: 'Text pairs are not supported',
};
const CLEAN_UP = 'Set clean_up_tokenization_spaces in tokenizer_config.json';

const RESOLVE: Readonly<Record<keyof ResolveOptions, true>> = {
  cacheDir: true,
  token: true,
  localFilesOnly: true,
  revision: true,
  signal: true,
  onProgress: true,
  onPlan: true,
};
const SIDE_PER_CALL = 'Pass paddingSide to process or batchEncode';

/**
 * Checks the options of the `fromPretrained` of a class.
 * @throws Blip2Error `UNKNOWN_OPTION` for those that do not exist.
 */
export function checkLoadOptions(name: string, options: unknown, others: readonly string[] = []): void {
  expectKnownOptions(`${name}.fromPretrained`, options, [...others, ...Object.keys(RESOLVE)], {
    paddingSide: SIDE_PER_CALL,
    padding_side: SIDE_PER_CALL,
  });
}

/** @throws Blip2Error `UNKNOWN_OPTION` for options that `Tokenizer.encode` does not have. */
export function checkEncodeOptions(options: unknown): void {
  const batchOnly = BATCH_ENCODE_OPTIONS.filter((name) => !name.endsWith('SpecialTokens'));
  expectKnownOptions('Tokenizer.encode', options, ['addSpecialTokens', 'escapeSpecialTokens'], {
    ...TEXT_REPLACEMENTS,
    ...Object.fromEntries(batchOnly.map((name) => [name, BATCHES_ONLY])),
  });
}

/** @throws Blip2Error `UNKNOWN_OPTION` for options that `Tokenizer.batchEncode` does not have. */
export function checkBatchEncodeOptions(options: unknown): void {
  expectKnownOptions('Tokenizer.batchEncode', options, BATCH_ENCODE_OPTIONS, TEXT_REPLACEMENTS);
}

/** @throws Blip2Error `UNKNOWN_OPTION` for options that `Tokenizer.decode` does not have. */
export function checkDecodeOptions(options: unknown): void {
  expectKnownOptions('Tokenizer.decode', options, ['skipSpecialTokens'], {
    cleanUpTokenizationSpaces: CLEAN_UP,
    clean_up_tokenization_spaces: CLEAN_UP,
  });
}

/**
 * Returns a text as well-formed Unicode.
 * @throws Blip2Error `INVALID_ARGUMENT`, `SEQUENCE_TOO_LONG`.
 */
export function checkText(text: unknown): string {
  if (typeof text !== 'string') throw mustBe('text', 'a string', text);
  if (text.length > MAX_TEXT_LENGTH)
    throw new Blip2Error('SEQUENCE_TOO_LONG', 'The text is too long', {
      expected: `at most ${MAX_TEXT_LENGTH} UTF-16 code units`,
      got: String(text.length),
    });
  // Lone surrogates cannot be encoded as UTF-8; they become U+FFFD.
  return text.replaceAll(/\p{Cs}/gu, '\ufffd');
}

/** @throws Blip2Error `INVALID_ARGUMENT` if texts are not a list. */
export function checkTexts(texts: unknown): readonly unknown[] {
  if (Array.isArray(texts)) return texts;
  throw mustBe('texts', 'a list of strings', texts);
}

/**
 * Numbers that are not ids are accepted: they decode to nothing, as unknown ids do.
 * @throws Blip2Error `INVALID_ARGUMENT` for other values.
 */
export function checkIds(ids: unknown): TokenIds {
  if (Array.isArray(ids) && ids.every((id) => typeof id === 'number')) return ids;
  throw mustBe('ids', 'a list of numbers', ids, {
    fix: 'Pass the rows of a tensor as arrays: Array.from(data, Number)',
  });
}
