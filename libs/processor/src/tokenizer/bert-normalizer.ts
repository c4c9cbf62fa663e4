import type { JsonObject } from '@blip2/files';

import { NONSPACING_MARKS, REMOVED } from './bert-characters.ts';

/**
 * Ideographs that are words by themselves, as in the Rust library (its fifth range starts 0x100 late; ids depend on
 * it).
 */
const IDEOGRAPHS: RegExp =
  /[\u4e00-\u9fff\u3400-\u4dbf\u{20000}-\u{2a6df}\u{2a700}-\u{2b73f}\u{2b740}-\u{2b81f}\u{2b920}-\u{2ceaf}\uf900-\ufaff\u{2f800}-\u{2fa1f}]/gu;

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
    if (stripAccents) result = result.normalize('NFD').replaceAll(NONSPACING_MARKS, '');
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
