import type { JsonObject } from '@blip2/files';

import {
  componentsOf,
  escapeRegExp,
  expandsTooMuch,
  invalidTokenizer,
  oneCharacter,
  patternOf,
  WORD_CHARACTERS,
} from './components.ts';
import { MAX_NORMALIZED_LENGTH } from './limits.ts';
import { splitBehavior } from './split-behaviors.ts';
import { PUNCTUATION } from './unicode/bert-characters.ts';
import type { Work } from './work.ts';

/** Splits a section of a text into words. `first`: the section is the start of the text. */
type Split = (text: string, first: boolean) => readonly string[];

/** GPT-2's regular expression, with Unicode's White_Space for `\s`. */
const GPT2_WORDS: RegExp = new RegExp(
  String.raw`'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+|` +
    String.raw` ?[^\p{White_Space}\p{L}\p{N}]+|\p{White_Space}+(?!\P{White_Space})|\p{White_Space}+`,
  'gu',
);

/** Punctuation characters, each a word, and runs of other characters that are not white space. */
const BERT_WORDS: RegExp = new RegExp(
  `${PUNCTUATION.source}|[^${PUNCTUATION.source.slice(1, -1)}\\p{White_Space}]+`,
  'gu',
);
/** Runs of word characters, or of others that are not white space. */
const WORDS_OR_SYMBOLS: RegExp = new RegExp(`[${WORD_CHARACTERS}]+|[^${WORD_CHARACTERS}\\p{White_Space}]+`, 'gu');

const removed = splitBehavior('Removed');

/** The pre-tokenizers of `tokenizer.json`, equal to those of the Rust library, which HF uses. */
const PRE_TOKENIZERS: Readonly<Record<string, (config: JsonObject) => Split>> = {
  ByteLevel: (config) => {
    const prefix = config['add_prefix_space'] === true;
    return (text) => {
      const begun = prefix && !text.startsWith(' ') ? ` ${text}` : text;
      return (config['use_regex'] === false ? [begun] : (begun.match(GPT2_WORDS) ?? [])).map(toByteCharacters);
    };
  },
  BertPreTokenizer: () => (text) => text.match(BERT_WORDS) ?? [],
  Whitespace: () => (text) => text.match(WORDS_OR_SYMBOLS) ?? [],
  WhitespaceSplit: () => (text) => text.match(/\P{White_Space}+/gu) ?? [],
  Metaspace: createMetaspace,
  Digits:
    ({ individual_digits: single }) =>
    (text) =>
      text.match(single === true ? /\p{N}|\P{N}+/gu : /\p{N}+|\P{N}+/gu) ?? [],
  Punctuation: ({ behavior }) => {
    const split = splitBehavior(behavior ?? 'Isolated');
    return (text) => split(text, PUNCTUATION);
  },
  CharDelimiterSplit: (config) => {
    const pattern = new RegExp(escapeRegExp(oneCharacter(config, 'delimiter')), 'gu');
    return (text) => removed(text, pattern);
  },
  Split: (config) => {
    const pattern = patternOf(config['pattern']);
    const split = splitBehavior(config['behavior'], config['invert'] === true);
    return (text) => split(text, pattern);
  },
};

/** Cost of one component, relative to following an edge of a trie. */
const STEPS_PER_CHARACTER = 8;
/** Cost of creating a word. */
const STEPS_PER_WORD = 64;
/** Each UTF-16 code unit has up to three bytes, which become as many characters. */
const MAX_PRE_TOKENIZED_LENGTH: number = 3 * MAX_NORMALIZED_LENGTH;

/**
 * Creates the pre-tokenizer of a `tokenizer.json`; each step splits the words of the previous one.
 * @throws Blip2Error `INVALID_TOKENIZER` for unknown components.
 */
export function createPreTokenizer(json: unknown): (text: string, first: boolean, work: Work) => readonly string[] {
  const steps = componentsOf(json, 'pre_tokenizer', 'pretokenizers', new Set(Object.keys(PRE_TOKENIZERS))).map(
    (config) => ({ split: PRE_TOKENIZERS[String(config['type'])]?.(config), config }),
  );
  return (text, first, work) => {
    let words: readonly string[] = text === '' ? [] : [text];
    /** The first word is the start of the text: nothing before it has been removed. */
    let isFirst = first;
    for (const { split, config } of steps) {
      const pieces = split ? words.flatMap((word, index) => split(word, isFirst && index === 0)) : words;
      isFirst &&= !removesText(config) || words[0]?.startsWith(pieces[0] ?? '') === true;
      words = pieces;
      const length = words.reduce((sum, word) => sum + word.length, 0);
      if (length > MAX_PRE_TOKENIZED_LENGTH) throw expandsTooMuch('pre_tokenizer', MAX_PRE_TOKENIZED_LENGTH);
      work.spend(STEPS_PER_CHARACTER * length + STEPS_PER_WORD * words.length);
    }
    return words;
  };
}

const REMOVING_TYPES: readonly unknown[] = ['BertPreTokenizer', 'Whitespace', 'WhitespaceSplit', 'CharDelimiterSplit'];

function removesText({ type, behavior }: JsonObject): boolean {
  return REMOVING_TYPES.includes(type) || behavior === 'Removed';
}

function createMetaspace(config: JsonObject): Split {
  const mark = oneCharacter(config, 'replacement');
  const scheme = metaspaceScheme(config);
  const split = config['split'] !== false;
  return (text, first) => {
    const marked = text.replaceAll(' ', mark);
    const prepend = (scheme === 'always' || (scheme === 'first' && first)) && !marked.startsWith(mark);
    const whole = prepend ? mark + marked : marked;
    return split ? beforeEach(whole, mark) : [whole];
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

const encoder = new TextEncoder();

/** Replaces each UTF-8 byte of a text by its printable character. */
export function toByteCharacters(text: string): string {
  if (/^[!-~]*$/.test(text)) return text;
  const bytes = encoder.encode(text);
  const units = new Uint16Array(bytes.length);
  for (let i = 0; i < bytes.length; i++) units[i] = BYTE_UNITS[bytes[i] ?? 0] ?? 0;
  return units.length < MAX_ARGUMENTS ? String.fromCharCode(...units) : textOfUnits(units);
}

/** Longer lists of arguments are slow. */
const MAX_ARGUMENTS = 256;

function textOfUnits(units: Uint16Array): string {
  let text = '';
  for (let i = 0; i < units.length; i += MAX_ARGUMENTS)
    text += String.fromCharCode(...units.subarray(i, i + MAX_ARGUMENTS));
  return text;
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

/** The code units of `BYTE_CHARACTERS`. */
const BYTE_UNITS: Uint16Array = Uint16Array.from(BYTE_CHARACTERS, (character) => character.charCodeAt(0));
