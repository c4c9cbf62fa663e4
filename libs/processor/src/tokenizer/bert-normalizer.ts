import type { JsonObject } from '@blip2/files';

import { IDEOGRAPHS, NONSPACING_MARKS, REMOVED } from './unicode/bert-characters.ts';
import { normalForm } from './unicode/normal-forms.ts';

/**
 * Creates BERT's normaliser; the configuration enables each step.
 *
 * 1. Remove control characters, and replace white space by spaces.
 * 2. Surround ideographs with spaces.
 * 3. Strip accents.
 * 4. Convert to lower case.
 */
export function createBertNormalizer(config: JsonObject): (text: string) => string {
  const lowercase = config['lowercase'] !== false;
  const stripAccents = typeof config['strip_accents'] === 'boolean' ? config['strip_accents'] : lowercase;
  return (text) => {
    let result = text;
    if (config['clean_text'] !== false) result = result.replaceAll(REMOVED, '').replaceAll(/\p{White_Space}/gu, ' ');
    if (config['handle_chinese_chars'] !== false) result = result.replaceAll(IDEOGRAPHS, ' $& ');
    if (stripAccents) result = normalForm(result, 'NFD').replaceAll(NONSPACING_MARKS, '');
    return lowercase ? lowerCase(result) : result;
  };
}

/** Converts each character to lower case independently: unlike `toLowerCase`, without the final form of sigma. */
export function lowerCase(text: string): string {
  return text.includes('Σ')
    ? text
        .split('Σ')
        .map((part) => part.toLowerCase())
        .join('σ')
    : text.toLowerCase();
}
