import type { JsonObject } from '@blip2/files';

import { componentsOf, insertedText, invalidTokenizer, patternOf } from './components.ts';
import { BYTE_CHARACTERS, metaspaceScheme } from './pre-tokenizers.ts';

/** Rewrites the list of tokens; the text is what remains, joined. */
type DecodeStep = (tokens: readonly string[]) => readonly string[];

/** How each decoder of `tokenizer.json` works, after the Rust library, whose texts the reference gives. */
const DECODERS: Readonly<Record<string, (config: JsonObject) => DecodeStep>> = {
  ByteLevel: () => (tokens) => [bytesToText(tokens)],
  ByteFallback: () => byteFallback,
  WordPiece: (config) => {
    const prefix = insertedText(config, 'prefix');
    const clean = config['cleanup'] === true ? cleanUpToken : (token: string): string => token;
    return (tokens) =>
      tokens.map((token, index) =>
        clean(index === 0 ? token : token.startsWith(prefix) ? token.slice(prefix.length) : ` ${token}`),
      );
  },
  Metaspace: (config) => {
    const mark = insertedText(config, 'replacement');
    const dropped = metaspaceScheme(config) !== 'never';
    return (tokens) => tokens.map((token, index) => token.replaceAll(mark, index === 0 && dropped ? '' : ' '));
  },
  Replace: (config) => {
    const pattern = patternOf(config['pattern']);
    const content = insertedText(config, 'content');
    return (tokens) => tokens.map((token) => token.replaceAll(pattern, () => content));
  },
  Fuse: () => (tokens) => [tokens.join('')],
  Strip: (config) => {
    const content = insertedText(config, 'content');
    const start = stripCount(config['start']);
    const stop = stripCount(config['stop']);
    return (tokens) => tokens.map((token) => stripToken(token, content, start, stop));
  },
};

/** The decoder of a `tokenizer.json`: tokens to text. Without one, tokens are joined by spaces. */
export function createDecoder(json: unknown): (tokens: readonly string[]) => string {
  const steps = componentsOf(json, 'decoder', 'decoders', new Set(Object.keys(DECODERS))).map((config) =>
    DECODERS[String(config['type'])]?.(config),
  );
  if (steps.length === 0) return (tokens) => tokens.join(' ');
  return (tokens) => steps.reduce((rest, step) => (step ? step(rest) : rest), tokens).join('');
}

/** The reference's `clean_up_tokenization`: spaces before punctuation and English contractions go. */
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

/** The Rust library's own clean-up knows one rule more, between the contractions. */
function cleanUpToken(token: string): string {
  return cleanUpText(token).replaceAll(' do not', " don't");
}

const CHARACTER_BYTES: ReadonlyMap<string, number> = new Map(
  BYTE_CHARACTERS.map((character, byte) => [character, byte]),
);
/** Keeps a byte order mark: it is text here. */
const decoder = new TextDecoder('utf-8', { ignoreBOM: true });
const encoder = new TextEncoder();

/** All tokens are one run of bytes, so a character may be spread over several; what is no UTF-8 becomes U+FFFD. */
function bytesToText(tokens: readonly string[]): string {
  return decoder.decode(Uint8Array.from(tokens.flatMap(tokenBytes)));
}

/** A token with a character that stands for no byte is plain text (an added token with a space, say). */
function tokenBytes(token: string): readonly number[] {
  const bytes: number[] = [];
  for (const character of token) {
    const byte = CHARACTER_BYTES.get(character);
    if (byte === undefined) return [...encoder.encode(token)];
    bytes.push(byte);
  }
  return bytes;
}

/** Runs of `<0xNN>` tokens become text; a run that is no UTF-8 as a whole becomes one U+FFFD per byte. */
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
  throw invalidTokenizer('Strip needs how many characters', { got: String(value) });
}

function stripToken(token: string, content: string, start: number, stop: number): string {
  const characters = [...token];
  let begin = 0;
  while (begin < start && characters[begin] === content) begin++;
  let end = characters.length;
  while (characters.length - end < stop && end > begin && characters[end - 1] === content) end--;
  return characters.slice(begin, end).join('');
}
