import { isJsonObject, type JsonObject } from '@blip2/files';

import type { Side, SideDefaults } from './padding.ts';

/** Where the names of special tokens stand, in `tokenizer_config.json` first, `special_tokens_map.json` second. */
const NAMED_TOKENS = [
  'bos_token',
  'eos_token',
  'unk_token',
  'sep_token',
  'pad_token',
  'cls_token',
  'mask_token',
] as const;
export type NamedToken = (typeof NAMED_TOKENS)[number];
const TOKEN_LISTS: readonly string[] = ['additional_special_tokens', 'extra_special_tokens'];
/** Python writes "no limit" as 1e30. */
const NO_LIMIT = 1e20;

/** What the files beside `tokenizer.json` say about it. */
export interface TokenizerConfig extends SideDefaults {
  readonly named: ReadonlyMap<NamedToken, string>;
  /** All special tokens by content, the named ones first. */
  readonly specialTokens: readonly string[];
  readonly cleanUpTokenizationSpaces: boolean;
}

/** Merges the two files; both may be absent. Defaults are those of the reference's base class. */
export function readTokenizerConfig(config: JsonObject = {}, specialTokensMap: JsonObject = {}): TokenizerConfig {
  const named = new Map<NamedToken, string>();
  for (const name of NAMED_TOKENS) {
    const content = contentOf(config[name]) ?? contentOf(specialTokensMap[name]);
    if (content !== undefined) named.set(name, content);
  }
  const listed = TOKEN_LISTS.flatMap((list) => [config[list], specialTokensMap[list]].flatMap(listOf)).flatMap(
    (token) => contentOf(token) ?? [],
  );
  const limit = config['model_max_length'];
  return {
    named,
    specialTokens: [...new Set([...named.values(), ...listed])],
    paddingSide: sideOf(config['padding_side']),
    truncationSide: sideOf(config['truncation_side']),
    modelMaxLength: typeof limit === 'number' && limit > 0 && limit < NO_LIMIT ? limit : Infinity,
    cleanUpTokenizationSpaces: config['clean_up_tokenization_spaces'] === true,
  };
}

/** A token is written as its content, or as an object that holds it. */
function contentOf(token: unknown): string | undefined {
  const content = isJsonObject(token) ? token['content'] : token;
  return typeof content === 'string' && content !== '' ? content : undefined;
}

/** Lists of tokens are arrays, or in newer files objects by name. */
function listOf(tokens: unknown): readonly unknown[] {
  return Array.isArray(tokens) ? tokens : isJsonObject(tokens) ? Object.values(tokens) : [];
}

const sideOf = (side: unknown): Side => (side === 'left' ? 'left' : 'right');
