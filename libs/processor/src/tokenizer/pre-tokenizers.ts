import type { JsonObject } from '@blip2/files';

import { PUNCTUATION } from './bert-characters.ts';
import { componentsOf, insertedText, invalidTokenizer, patternOf } from './components.ts';

/** Splits a section of a text into words. `first`: the section is the start of the text. */
type Split = (text: string, first: boolean) => readonly string[];

/** GPT-2's regular expression, with Unicode's White_Space for `\s`. */
const GPT2_WORDS: RegExp = new RegExp(
  String.raw`'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+|` +
    String.raw` ?[^\p{White_Space}\p{L}\p{N}]+|\p{White_Space}+(?!\P{White_Space})|\p{White_Space}+`,
  'gu',
);

/** The pre-tokenizers of `tokenizer.json`, equal to those of the Rust library, which HF uses. */
const PRE_TOKENIZERS: Readonly<Record<string, (config: JsonObject) => Split>> = {
  ByteLevel: (config) => {
    const prefix = config['add_prefix_space'] === true;
    return (text) => {
      const begun = prefix && !text.startsWith(' ') ? ` ${text}` : text;
      return (config['use_regex'] === false ? [begun] : (begun.match(GPT2_WORDS) ?? [])).map(toByteCharacters);
    };
  },
  BertPreTokenizer: () => (text) =>
    (text.match(/\P{White_Space}+/gu) ?? []).flatMap((word) => isolate(word, PUNCTUATION)),
  WhitespaceSplit: () => (text) => text.match(/\P{White_Space}+/gu) ?? [],
  Metaspace: createMetaspace,
  Digits:
    ({ individual_digits: single }) =>
    (text) =>
      text.match(single === true ? /\p{N}|\P{N}+/gu : /\p{N}+|\P{N}+/gu) ?? [],
  Split: (config) => {
    const pattern = patternOf(config['pattern']);
    if (config['behavior'] !== 'Isolated' || config['invert'] === true)
      throw invalidTokenizer('Unsupported kind of Split', { expected: 'Isolated, not inverted' });
    return (text) => isolate(text, pattern);
  },
};

/**
 * Creates the pre-tokenizer of a `tokenizer.json`; each step splits the words of the previous one.
 * @throws Blip2Error `INVALID_TOKENIZER` for unknown components.
 */
export function createPreTokenizer(json: unknown): Split {
  const steps = componentsOf(json, 'pre_tokenizer', 'pretokenizers', new Set(Object.keys(PRE_TOKENIZERS))).map(
    (config) => PRE_TOKENIZERS[String(config['type'])]?.(config),
  );
  return (text, first) =>
    steps.reduce<readonly string[]>(
      (words, step) => (step ? words.flatMap((word, index) => step(word, first && index === 0)) : words),
      text === '' ? [] : [text],
    );
}

function createMetaspace(config: JsonObject): Split {
  const mark = insertedText(config, 'replacement');
  const scheme = metaspaceScheme(config);
  const split = config['split'] !== false;
  return (text, first) => {
    const marked = text.replaceAll(' ', mark);
    const prepend = (scheme === 'always' || (scheme === 'first' && first)) && !marked.startsWith(mark);
    const whole = prepend ? mark + marked : marked;
    return split && mark !== '' ? beforeEach(whole, mark) : [whole];
  };
}

/**
 * Reads when a mark is prepended to a text; files from before 2024 use `add_prefix_space`.
 * @throws Blip2Error `INVALID_TOKENIZER` for unknown schemes.
 */
export function metaspaceScheme({
  prepend_scheme: scheme,
  add_prefix_space: prefix,
}: JsonObject): 'always' | 'first' | 'never' {
  if (scheme === 'always' || scheme === 'first' || scheme === 'never') return scheme;
  if (scheme !== undefined)
    throw invalidTokenizer('Unknown prepend_scheme', { expected: 'always, first or never', got: String(scheme) });
  return prefix === false ? 'never' : 'always';
}

/** Splits before every mark: `▁a▁▁b` → `▁a`, `▁`, `▁b`. */
function beforeEach(text: string, mark: string): readonly string[] {
  const [head = '', ...parts] = text.split(mark);
  return [...(head === '' ? [] : [head]), ...parts.map((part) => mark + part)];
}

function isolate(text: string, pattern: RegExp): readonly string[] {
  const words: string[] = [];
  let end = 0;
  for (const { 0: match, index } of text.matchAll(pattern)) {
    if (index > end) words.push(text.slice(end, index));
    if (match !== '') words.push(match);
    end = index + match.length;
  }
  if (end < text.length) words.push(text.slice(end));
  return words;
}

const encoder = new TextEncoder();

function toByteCharacters(text: string): string {
  let result = '';
  for (const byte of encoder.encode(text)) result += BYTE_CHARACTERS[byte] ?? '';
  return result;
}

/** GPT-2's printable character for each byte: itself if printable Latin-1, else the next one from U+0100. */
export const BYTE_CHARACTERS: readonly string[] = byteCharacters();

function byteCharacters(): readonly string[] {
  let next = 256;
  return Array.from({ length: 256 }, (_, byte) => {
    const printable = (byte >= 0x21 && byte <= 0x7e) || (byte >= 0xa1 && byte <= 0xac) || byte >= 0xae;
    return String.fromCharCode(printable ? byte : next++);
  });
}
