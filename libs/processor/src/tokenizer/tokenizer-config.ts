import { isJsonObject, type JsonObject } from '@blip2/files';

import type { Side, SideDefaults } from './padding.ts';

/** Keys of the special tokens in `tokenizer_config.json` and `special_tokens_map.json`. */
const NAMED_TOKENS = [
  'bos_token',
  'eos_token',
  'unk_token',
  'sep_token',
  'pad_token',
  'cls_token',
  'mask_token',
] as const;
/** Role of a special token. */
export type NamedToken = (typeof NAMED_TOKENS)[number];
const TOKEN_LISTS: readonly string[] = ['additional_special_tokens', 'extra_special_tokens'];
/** Larger limits mean that there is none: Python writes 1e30. */
const NO_LIMIT = 1e20;

/** Settings of a tokenizer that are not in `tokenizer.json`. */
export interface TokenizerConfig extends SideDefaults {
  /** Contents of special tokens by role. */
  readonly named: ReadonlyMap<NamedToken, string>;
  /** Contents of all special tokens, those with a role first. */
  readonly specialTokens: readonly string[];
  readonly cleanUpTokenizationSpaces: boolean;
}

/**
 * Merges the two files, both optional. As in HF, `special_tokens_map.json` takes precedence if `tokenizer_config.json`
 * is of before 2023 and has no `added_tokens_decoder`. Defaults are those of HF's base class.
 */
export function readTokenizerConfig(config: JsonObject = {}, specialTokensMap: JsonObject = {}): TokenizerConfig {
  const [first, second] = isJsonObject(config['added_tokens_decoder'])
    ? [config, specialTokensMap]
    : [specialTokensMap, config];
  const named = new Map<NamedToken, string>();
  for (const name of NAMED_TOKENS) {
    const content = contentOf(first[name]) ?? contentOf(second[name]);
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

/** The content of a token, which is stored as a string or in an object. */
function contentOf(token: unknown): string | undefined {
  const content = isJsonObject(token) ? token['content'] : token;
  return typeof content === 'string' && content !== '' ? content : undefined;
}

/** The tokens of a list, which is an array or, in newer files, an object. */
function listOf(tokens: unknown): readonly unknown[] {
  return Array.isArray(tokens) ? tokens : isJsonObject(tokens) ? Object.values(tokens) : [];
}

const sideOf = (side: unknown): Side => (side === 'left' ? 'left' : 'right');
