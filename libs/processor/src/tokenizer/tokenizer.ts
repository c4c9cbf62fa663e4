import { isAbsolute, join } from 'node:path';

import { type JsonFileRules, type JsonObject, readJsonFile } from '@blip2/files';
import type { ResolveOptions } from '@blip2/hub';
import { Blip2Error, mustBe, type TextTokenizer, type TokenIds } from '@blip2/interfaces';

import { processorFolder } from '../processor-folder.ts';
import { type AddedToken, readAddedTokens } from './added-tokens.ts';
import {
  checkBatchEncodeOptions,
  checkDecodeOptions,
  checkEncodeOptions,
  checkIds,
  checkLoadOptions,
  checkText,
  checkTexts,
} from './check-arguments.ts';
import { invalidTokenizer } from './components.ts';
import { cleanUpText, createDecoder } from './decoders.ts';
import { MAX_TOKENIZER_BYTES } from './limits.ts';
import { readModel } from './models/read-model.ts';
import {
  type BatchEncodeOptions,
  type BatchEncoding,
  expectBoolean,
  pad,
  rowRules,
  type Side,
  specialTokenRules,
  truncate,
} from './padding.ts';
import { readSpecialFrame, type SpecialFrame } from './post-processor.ts';
import { createTextEncoder, type TextEncode } from './text-encoder.ts';
import { type NamedToken, readTokenizerConfig, type TokenizerConfig } from './tokenizer-config.ts';

/** Options of `Tokenizer.encode`. */
export interface EncodeTextOptions {
  /** Add the start and end tokens of `tokenizer.json`. Default true. */
  readonly addSpecialTokens?: boolean;
  /** Treat special tokens in the text as plain text, so that users cannot inject them. Default false, as in HF. */
  readonly escapeSpecialTokens?: boolean;
}

/** Options of `Tokenizer.decode`. */
export interface DecodeOptions {
  /** Omit special tokens. Default false, as in HF. */
  readonly skipSpecialTokens?: boolean;
}

/**
 * The tokenizer of a checkpoint, as defined by its `tokenizer.json`; ids equal those of the Rust library. Unknown ids
 * decode to nothing. Its methods throw Blip2Error `SEQUENCE_TOO_LONG` for texts beyond 32,768 UTF-16 code units and
 * `INVALID_ARGUMENT` for invalid arguments, and `UNKNOWN_OPTION` for options that do not exist.
 */
export interface Tokenizer extends TextTokenizer {
  readonly bosTokenId: number | undefined;
  readonly eosTokenId: number | undefined;
  readonly unkTokenId: number | undefined;
  readonly paddingSide: Side;
  readonly truncationSide: Side;
  /** Maximum number of tokens of the model; `Infinity` if the files do not specify it. */
  readonly modelMaxLength: number;
  /** Number of tokens; ids need not be contiguous. */
  readonly size: number;
  /** Encodes one text. */
  encode(text: string, options?: EncodeTextOptions): number[];
  /** Encodes, truncates and pads several texts. */
  batchEncode(texts: readonly string[], options?: BatchEncodeOptions): BatchEncoding;
  decode(ids: TokenIds, options?: DecodeOptions): string;
  batchDecode(rows: readonly TokenIds[], options?: DecodeOptions): string[];
  tokenToId(token: string): number | undefined;
  idToToken(id: number): string | undefined;
}

/** Options of `Tokenizer.fromJson`. */
export interface TokenizerOptions {
  /** Special tokens to add, at the next free ids, unless the tokenizer has them. */
  readonly extraSpecialTokens?: readonly string[];
}

/** Options of `Tokenizer.fromPretrained`. */
export interface TokenizerLoadOptions extends TokenizerOptions, ResolveOptions {
  /** Subfolder of the model folder (InstructBLIP: `qformer_tokenizer`). */
  readonly subfolder?: string;
}

/** The parsed files of a tokenizer. */
export interface TokenizerFiles {
  readonly tokenizer: JsonObject;
  readonly config?: JsonObject | undefined;
  readonly specialTokensMap?: JsonObject | undefined;
}

const RULES: JsonFileRules = { code: 'INVALID_TOKENIZER', maxBytes: MAX_TOKENIZER_BYTES };

async function fromPretrained(source: string, loadOptions: TokenizerLoadOptions = {}): Promise<Tokenizer> {
  checkLoadOptions('Tokenizer', loadOptions, ['subfolder', 'extraSpecialTokens']);
  const { subfolder = '', ...options } = loadOptions;
  if (isAbsolute(subfolder) || subfolder.split(/[\\/]/).includes('..'))
    throw mustBe('subfolder', 'a folder inside the model folder', subfolder, { code: 'UNSAFE_PATH' });
  const folder = await processorFolder(source, options);
  const names = ['tokenizer.json', 'tokenizer_config.json', 'special_tokens_map.json'];
  const [tokenizer, config, specialTokensMap] = await Promise.all(
    names.map((name) => readJsonFile(folder, join(subfolder, name), RULES)),
  );
  if (!tokenizer) {
    throw new Blip2Error('MISSING_FILE', 'tokenizer.json does not exist', {
      where: join(source, subfolder),
      fix:
        'Create it from vocab.json and merges.txt, vocab.txt or spiece.model with ' +
        'AutoTokenizer.from_pretrained(…).save_pretrained(…) of HF Transformers',
    });
  }
  return fromJson({ tokenizer, config, specialTokensMap }, options);
}

/** The components of a tokenizer. */
interface TokenizerParts {
  readonly settings: TokenizerConfig;
  readonly frame: SpecialFrame;
  readonly encodeText: TextEncode;
  readonly decodeTokens: (tokens: readonly string[]) => string;
  readonly cleanUp: (text: string) => string;
  readonly vocabulary: ReadonlyMap<string, number>;
  readonly addedTokens: readonly AddedToken[];
  readonly special: ReadonlySet<string>;
}

function readParts(
  { tokenizer, config = {}, specialTokensMap = {} }: TokenizerFiles,
  { extraSpecialTokens = [] }: TokenizerOptions,
): TokenizerParts {
  const settings = readTokenizerConfig(config, specialTokensMap);
  const model = readModel(tokenizer['model']);
  const addedTokens = readAddedTokens(
    tokenizer,
    config,
    [...settings.specialTokens, ...extraSpecialTokens],
    model.vocabulary,
  );
  return {
    settings,
    frame: readSpecialFrame(tokenizer['post_processor']),
    encodeText: createTextEncoder(tokenizer, model, addedTokens),
    decodeTokens: createDecoder(tokenizer['decoder']),
    // As in HF, BPE ignores the setting: the clean-up would remove genuine spaces before punctuation.
    cleanUp: settings.cleanUpTokenizationSpaces && model.type !== 'BPE' ? cleanUpText : (text) => text,
    vocabulary: model.vocabulary,
    addedTokens,
    special: new Set(addedTokens.filter((token) => token.special).map(({ content }) => content)),
  };
}

function create({
  settings,
  frame,
  encodeText,
  decodeTokens,
  cleanUp,
  vocabulary,
  addedTokens,
  special,
}: TokenizerParts): Tokenizer {
  const { paddingSide, truncationSide, modelMaxLength } = settings;
  const addedIds = new Map(addedTokens.map(({ content, id }) => [content, id]));
  const tokenToId = (token: string): number | undefined => addedIds.get(token) ?? vocabulary.get(token);
  const idToToken = createIdToToken(vocabulary, addedTokens);
  const idOf = (name: NamedToken): number | undefined => tokenToId(settings.named.get(name) ?? '');
  const padTokenId = idOf('pad_token');
  const decode = (row: TokenIds, options: DecodeOptions = {}): string => {
    checkDecodeOptions(options);
    const { skipSpecialTokens = false } = options;
    expectBoolean('skipSpecialTokens', skipSpecialTokens);
    const known = checkIds(row).flatMap((id) => idToToken(id) ?? []);
    return cleanUp(decodeTokens(skipSpecialTokens ? known.filter((token) => !special.has(token)) : known));
  };
  return {
    padTokenId,
    bosTokenId: idOf('bos_token'),
    eosTokenId: idOf('eos_token'),
    unkTokenId: idOf('unk_token'),
    paddingSide,
    truncationSide,
    modelMaxLength,
    size: vocabulary.size + addedTokens.filter(({ content }) => !vocabulary.has(content)).length,
    encode(text, options = {}) {
      checkEncodeOptions(options);
      const { around, escape } = specialTokenRules(options, frame);
      return [...around.before, ...encodeText(checkText(text), escape), ...around.after];
    },
    batchEncode(texts, options = {}) {
      checkBatchEncodeOptions(options);
      const rules = rowRules(options, settings);
      const { around, escape } = specialTokenRules(options, frame);
      const rows = checkTexts(texts).map((text) => [
        ...around.before,
        ...truncate(encodeText(checkText(text), escape), around, rules),
        ...around.after,
      ]);
      return pad(rows, padTokenId, rules);
    },
    decode,
    batchDecode(rows, options) {
      if (!Array.isArray(rows)) throw mustBe('rows', 'a list of lists of token ids', rows);
      return rows.map((row: TokenIds) => decode(row, options));
    },
    tokenToId,
    idToToken,
  };
}

/** Creates the inverse of a vocabulary at its first use. Added tokens take precedence. */
function createIdToToken(
  vocabulary: ReadonlyMap<string, number>,
  addedTokens: readonly AddedToken[],
): (id: number) => string | undefined {
  const added = new Map(addedTokens.map(({ content, id }) => [id, content]));
  let tokens: Map<number, string> | undefined;
  return (id) => {
    if (!tokens) {
      tokens = new Map();
      for (const [token, tokenId] of vocabulary) tokens.set(tokenId, token);
    }
    return added.get(id) ?? tokens.get(id);
  };
}

function fromJson(files: TokenizerFiles, options: TokenizerOptions = {}): Tokenizer {
  try {
    return create(readParts(files, options));
  } catch (cause) {
    throw cause instanceof Blip2Error ? cause : invalidTokenizer('The tokenizer cannot be created', { cause });
  }
}

/** Creates tokenizers. */
export const Tokenizer: {
  /**
   * Loads from a folder in the Hugging Face layout, or from a Hub repository id. In the latter case only the files of
   * the processor and its tokenizers are downloaded.
   * @throws Blip2Error `MISSING_FILE` without a `tokenizer.json`; `INVALID_TOKENIZER` for invalid or unsafe files;
   * `UNSAFE_PATH` for files outside the folder; for repository ids the codes of `downloadModel`.
   */
  readonly fromPretrained: (source: string, options?: TokenizerLoadOptions) => Promise<Tokenizer>;
  /**
   * Creates a tokenizer from parsed files.
   * @throws Blip2Error `INVALID_TOKENIZER` for invalid or unsafe files.
   */
  readonly fromJson: (files: TokenizerFiles, options?: TokenizerOptions) => Tokenizer;
} = { fromPretrained, fromJson };
