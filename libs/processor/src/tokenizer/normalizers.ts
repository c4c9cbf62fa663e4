import type { JsonObject } from '@blip2/files';

import { createBertNormalizer, lowerCase } from './bert-normalizer.ts';
import { createCharsmap } from './charsmap.ts';
import { componentsOf, expandsTooMuch, insertedText, patternOf } from './components.ts';
import { MAX_NORMALIZED_LENGTH } from './limits.ts';
import { toByteCharacters } from './pre-tokenizers.ts';
import { MARKS, normalForm } from './unicode/normal-forms.ts';
import type { Work } from './work.ts';

type Normalize = (text: string) => string;

/** The normalisers of `tokenizer.json`, equal to those of the Rust library, which HF uses. */
const NORMALIZERS: Readonly<Record<string, (config: JsonObject) => Normalize>> = {
  BertNormalizer: createBertNormalizer,
  Precompiled: ({ precompiled_charsmap: map }) =>
    typeof map === 'string' && map !== '' ? createCharsmap(map) : (text) => text,
  NFC: () => (text) => normalForm(text, 'NFC'),
  NFD: () => (text) => normalForm(text, 'NFD'),
  NFKC: () => (text) => normalForm(text, 'NFKC'),
  NFKD: () => (text) => normalForm(text, 'NFKD'),
  ByteLevel: () => toByteCharacters,
  Lowercase: () => lowerCase,
  StripAccents: () => (text) => text.replaceAll(MARKS, ''),
  Strip:
    ({ strip_left: left, strip_right: right }) =>
    (text) => {
      const begun = left === true ? text.replace(/^\p{White_Space}+/u, '') : text;
      return right === true ? stripRight(begun) : begun;
    },
  Prepend: (config) => {
    const prefix = insertedText(config, 'prepend');
    return (text) => (text === '' ? text : prefix + text);
  },
  Replace: (config) => {
    const pattern = patternOf(config['pattern']);
    const content = insertedText(config, 'content');
    return (text) => text.replaceAll(pattern, () => content);
  },
};

/** Cost of one component, relative to following an edge of a trie. */
const STEPS_PER_CHARACTER = 8;

/**
 * Creates the normaliser of a `tokenizer.json`.
 * @throws Blip2Error `INVALID_TOKENIZER` for unknown components and, when it runs, if it expands a text beyond the
 * limit.
 */
export function createNormalizer(json: unknown): (text: string, work: Work) => string {
  const steps = componentsOf(json, 'normalizer', 'normalizers', new Set(Object.keys(NORMALIZERS))).map((config) =>
    NORMALIZERS[String(config['type'])]?.(config),
  );
  return (text, work) =>
    steps.reduce((normalized, step) => {
      work.spend(STEPS_PER_CHARACTER * normalized.length);
      const result = step ? step(normalized) : normalized;
      if (result.length > MAX_NORMALIZED_LENGTH) throw expandsTooMuch('normalizer', MAX_NORMALIZED_LENGTH);
      return result;
    }, text);
}

function stripRight(text: string): string {
  let end = text.length;
  while (end > 0 && /\p{White_Space}/u.test(text.charAt(end - 1))) end--;
  return text.slice(0, end);
}
