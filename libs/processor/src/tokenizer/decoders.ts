import type { JsonObject } from '@blip2/files';

import { componentsOf, insertedText, invalidTokenizer, oneCharacter, patternOf } from './components.ts';
import { MAX_STEPS } from './limits.ts';
import { BYTE_CHARACTERS, metaspaceScheme } from './pre-tokenizers.ts';
import { createWork, type Work } from './work.ts';

/** Maps a list of tokens to another; the text is the concatenation of the last list. */
type DecodeStep = (tokens: readonly string[], work: Work) => readonly string[];

/** The decoders of `tokenizer.json`, equal to those of the Rust library, which HF uses. */
const DECODERS: Readonly<Record<string, (config: JsonObject) => DecodeStep>> = {
  ByteLevel: () => (tokens) => [bytesToText(tokens)],
  ByteFallback: () => byteFallback,
  BPEDecoder: (config) => {
    const suffix = insertedText(config, 'suffix');
    return (tokens) => tokens.map((token, index) => token.replaceAll(suffix, index === tokens.length - 1 ? '' : ' '));
  },
  WordPiece: (config) => {
    const prefix = insertedText(config, 'prefix');
    const clean = config['cleanup'] === true ? cleanUpToken : (token: string): string => token;
    return (tokens) =>
      tokens.map((token, index) =>
        clean(index === 0 ? token : token.startsWith(prefix) ? token.slice(prefix.length) : ` ${token}`),
      );
  },
  Metaspace: (config) => {
    const mark = oneCharacter(config, 'replacement');
    const dropped = metaspaceScheme(config) !== 'never';
    return (tokens) => tokens.map((token, index) => token.replaceAll(mark, index === 0 && dropped ? '' : ' '));
  },
  Replace: (config) => {
    const pattern = patternOf(config['pattern']);
    const content = insertedText(config, 'content');
    return (tokens, work) =>
      tokens.map((token) =>
        token.replaceAll(pattern, () => {
          work.spend(content.length);
          return content;
        }),
      );
  },
  Fuse: () => (tokens) => [tokens.join('')],
  Strip: (config) => {
    const content = insertedText(config, 'content');
    const start = stripCount(config['start']);
    const stop = stripCount(config['stop']);
    return (tokens) => tokens.map((token) => stripToken(token, content, start, stop));
  },
};

/** Cost of one component, relative to following an edge of a trie. */
const STEPS_PER_CHARACTER = 8;
/** Steps that each token may take in addition; those of stock tokenizers take about 200. */
const MAX_STEPS_PER_TOKEN = 2048;

/** Creates the decoder of a `tokenizer.json`. Without one, tokens are joined by spaces. It throws `INVALID_TOKENIZER`
 * if it expands a text without bound. */
export function createDecoder(json: unknown): (tokens: readonly string[]) => string {
  const steps = componentsOf(json, 'decoder', 'decoders', new Set(Object.keys(DECODERS))).map((config) =>
    DECODERS[String(config['type'])]?.(config),
  );
  if (steps.length === 0) return (tokens) => tokens.join(' ');
  return (tokens) => {
    const work = createWork(MAX_STEPS + MAX_STEPS_PER_TOKEN * tokens.length);
    let texts = tokens;
    for (const step of steps) {
      work.spend(STEPS_PER_CHARACTER * texts.reduce((sum, { length }) => sum + length, 0));
      if (step) texts = step(texts, work);
    }
    return texts.join('');
  };
}

/** Removes spaces before punctuation and English contractions, like HF's `clean_up_tokenization`. */
export function cleanUpText(text: string): string {
  return text
    .replaceAll(' .', '.')
    .replaceAll(' ?', '?')
    .replaceAll(' !', '!')
    .replaceAll(' ,', ',')
    .replaceAll(" ' ", "'")
    .replaceAll(" n't", "n't")
    .replaceAll(" 'm", "'m")
    .replaceAll(" 's", "'s")
    .replaceAll(" 've", "'ve")
    .replaceAll(" 're", "'re");
}

/** The clean-up of the Rust library has one additional rule. */
function cleanUpToken(token: string): string {
  return cleanUpText(token).replaceAll(' do not', " don't");
}

const CHARACTER_BYTES: ReadonlyMap<string, number> = new Map(
  BYTE_CHARACTERS.map((character, byte) => [character, byte]),
);
/** Keeps byte order marks as text. */
const decoder = new TextDecoder('utf-8', { ignoreBOM: true });
const encoder = new TextEncoder();

/** Decodes the bytes of all tokens together, because characters may span tokens; invalid UTF-8 becomes U+FFFD. */
function bytesToText(tokens: readonly string[]): string {
  return decoder.decode(Uint8Array.from(tokens.flatMap(tokenBytes)));
}

/** The bytes of a token. A token with a character that represents no byte is plain text, such as an added token. */
function tokenBytes(token: string): readonly number[] {
  const bytes: number[] = [];
  for (const character of token) {
    const byte = CHARACTER_BYTES.get(character);
    if (byte === undefined) return [...encoder.encode(token)];
    bytes.push(byte);
  }
  return bytes;
}

/** Decodes runs of `<0xNN>` tokens; a run that is not valid UTF-8 becomes one U+FFFD per byte. */
function byteFallback(tokens: readonly string[]): readonly string[] {
  const result: string[] = [];
  let run: number[] = [];
  const flush = (): void => {
    const text = decoder.decode(Uint8Array.from(run));
    const valid = Buffer.from(run).equals(encoder.encode(text));
    if (run.length > 0) result.push(valid ? text : '\ufffd'.repeat(run.length));
    run = [];
  };
  for (const token of tokens) {
    const byte = /^<0x([0-9A-Fa-f]{2})>$/.exec(token)?.[1];
    if (byte !== undefined) run.push(Number.parseInt(byte, 16));
    else {
      flush();
      result.push(token);
    }
  }
  flush();
  return result;
}

function stripCount(value: unknown): number {
  if (typeof value === 'number' && Number.isSafeInteger(value) && value >= 0) return value;
  throw invalidTokenizer('Strip has an invalid number of characters', { got: String(value) });
}

function stripToken(token: string, content: string, start: number, stop: number): string {
  const characters = [...token];
  let begin = 0;
  while (begin < start && characters[begin] === content) begin++;
  let end = characters.length;
  while (characters.length - end < stop && end > begin && characters[end - 1] === content) end--;
  return characters.slice(begin, end).join('');
}
