import { defined, mustBe, type SpecialTokens } from '@blip2/interfaces';
import { integerSetting, objectSetting, type OnnxFile, positiveOption } from '@blip2/part';

/** What a file may not state about itself. */
export interface LanguageFileOptions {
  /** Special tokens. Default: of `generation_config.json` and `config.json` next to the file. */
  readonly specialTokens?: SpecialTokens;
  /** Maximum number of positions. Default: `max_position_embeddings` of `config.json`, else unlimited. */
  readonly maxPositions?: number;
}

/** Keys of `generation_config.json` and `config.json`. */
const KEYS: Readonly<Record<keyof SpecialTokens, string>> = {
  bosTokenId: 'bos_token_id',
  eosTokenId: 'eos_token_id',
  padTokenId: 'pad_token_id',
  decoderStartTokenId: 'decoder_start_token_id',
};

export interface LanguageSettings {
  readonly specialTokens: SpecialTokens;
  readonly maxPositions: number;
}

/** The settings of a language model in a file. */
export async function languageSettings(
  { readSettings }: OnnxFile,
  { specialTokens, maxPositions }: LanguageFileOptions,
  isSeq2Seq: boolean,
): Promise<LanguageSettings> {
  const [generation, config] = [await readSettings('generation_config.json'), await readSettings('config.json')];
  const text = objectSetting(config, 'text_config');
  const sources = [generation, text, config];
  const stated = Object.entries(KEYS).map(([name, key]): [string, unknown] => [
    name,
    sources.map((source) => source?.[key]).find((value) => isToken(value, name === 'eosTokenId')),
  ]);
  return {
    specialTokens: specialTokens === undefined ? defined(Object.fromEntries(stated)) : expectSpecial(specialTokens),
    maxPositions:
      maxPositions === Infinity
        ? Infinity
        : (positiveOption('maxPositions', maxPositions) ??
          // `n_positions` of T5 limits nothing.
          integerSetting([text, config], 'max_position_embeddings', ...(isSeq2Seq ? [] : ['n_positions'])) ??
          Infinity),
  };
}

function isToken(value: unknown, several: boolean): boolean {
  if (several && Array.isArray(value)) return value.length > 0 && value.every((each) => isToken(each, false));
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0;
}

function expectSpecial(tokens: SpecialTokens): SpecialTokens {
  if (typeof tokens !== 'object' || tokens === null) throw mustBe('specialTokens', 'an object of token ids', tokens);
  for (const [name, value] of Object.entries(tokens)) {
    if (!Object.hasOwn(KEYS, name))
      throw mustBe('specialTokens', `members among ${Object.keys(KEYS).join(', ')}`, name);
    if (value !== undefined && !isToken(value, name === 'eosTokenId'))
      throw mustBe(`specialTokens.${name}`, 'a token id', value);
  }
  return tokens;
}
