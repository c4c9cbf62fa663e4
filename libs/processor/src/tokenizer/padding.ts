import { type AttentionMask, Blip2Error, mustBe, type TokenIds } from '@blip2/interfaces';

import { NO_FRAME, type SpecialFrame } from './post-processor.ts';

/** The side on which rows are padded or truncated. */
export type Side = 'left' | 'right';

/** Options of `Tokenizer.batchEncode`. */
export interface BatchEncodeOptions {
  /** `true` or `'longest'`: pad to the longest row; `'max_length'`: to `maxLength`. Default false: no padding. */
  readonly padding?: boolean | 'longest' | 'max_length' | 'do_not_pad';
  /** Side to pad. Default: that of the tokenizer. */
  readonly paddingSide?: Side;
  /** Truncate rows to `maxLength`, special tokens included. Default: if `maxLength` is set and `padding` is not. */
  readonly truncation?: boolean;
  /** Side to truncate. Default: that of the tokenizer. */
  readonly truncationSide?: Side;
  /** Length of a row in tokens, special tokens included. Default: the limit of the tokenizer, if it has one. */
  readonly maxLength?: number;
  /** Add the tokenizer's start and end tokens. Default true. */
  readonly addSpecialTokens?: boolean;
  /** Treat special tokens in a text as plain text. Default false, as in HF. */
  readonly escapeSpecialTokens?: boolean;
}

/** Names of the options of `Tokenizer.batchEncode`. */
export const BATCH_ENCODE_OPTIONS: readonly (keyof BatchEncodeOptions)[] = [
  'padding',
  'paddingSide',
  'truncation',
  'truncationSide',
  'maxLength',
  'addSpecialTokens',
  'escapeSpecialTokens',
];

/** Encoded texts, one row per text. */
export interface BatchEncoding {
  readonly inputIds: readonly TokenIds[];
  readonly attentionMask: AttentionMask;
}

/** Resolved options of a batch. Lengths are undefined if rows are not truncated or padded. */
export interface RowRules {
  readonly truncateTo: number | undefined;
  readonly truncationSide: Side;
  readonly padTo: number | 'longest' | undefined;
  readonly paddingSide: Side;
}

/** Defaults of a tokenizer. */
export interface SideDefaults {
  readonly paddingSide: Side;
  readonly truncationSide: Side;
  /** `Infinity` if unlimited. */
  readonly modelMaxLength: number;
}

const PADDINGS: readonly unknown[] = [true, false, 'longest', 'max_length', 'do_not_pad'];

/** @throws Blip2Error `INVALID_ARGUMENT` if an option is neither a boolean nor absent. */
export function expectBoolean(argument: string, value: unknown): void {
  if (value !== undefined && typeof value !== 'boolean') throw mustBe(argument, 'true or false', value);
}

/**
 * Resolves the options of a batch. Source: HF `_get_padding_truncation_strategies`.
 * @throws Blip2Error `INVALID_ARGUMENT` for invalid values.
 */
export function rowRules(
  { padding = false, truncation, maxLength, paddingSide, truncationSide }: BatchEncodeOptions,
  defaults: SideDefaults,
): RowRules {
  if (!PADDINGS.includes(padding))
    throw mustBe('padding', "true, false, 'longest', 'max_length' or 'do_not_pad'", padding);
  expectBoolean('truncation', truncation);
  if (maxLength !== undefined && (!Number.isSafeInteger(maxLength) || maxLength < 0)) {
    throw mustBe('maxLength', 'a non-negative integer', maxLength);
  }
  const pads = padding !== false && padding !== 'do_not_pad';
  const truncates = truncation ?? (maxLength !== undefined && padding === false);
  const length = maxLength ?? (Number.isFinite(defaults.modelMaxLength) ? defaults.modelMaxLength : undefined);
  return {
    truncateTo: truncates ? length : undefined,
    truncationSide: side(truncationSide, 'truncationSide') ?? defaults.truncationSide,
    padTo: padding === 'max_length' ? length : pads ? 'longest' : undefined,
    paddingSide: side(paddingSide, 'paddingSide') ?? defaults.paddingSide,
  };
}

/**
 * Resolves the tokens around a text, and whether special tokens in it are plain text.
 * @throws Blip2Error `INVALID_ARGUMENT` for values that are not booleans.
 */
export function specialTokenRules(
  {
    addSpecialTokens = true,
    escapeSpecialTokens = false,
  }: { readonly addSpecialTokens?: boolean; readonly escapeSpecialTokens?: boolean },
  frame: SpecialFrame,
): { readonly around: SpecialFrame; readonly escape: boolean } {
  expectBoolean('addSpecialTokens', addSpecialTokens);
  expectBoolean('escapeSpecialTokens', escapeSpecialTokens);
  return { around: addSpecialTokens ? frame : NO_FRAME, escape: escapeSpecialTokens };
}

/**
 * Truncates the ids of a text; the special tokens around it are kept.
 * @throws Blip2Error `INVALID_ARGUMENT` if these alone are longer than the maximum length.
 */
export function truncate(ids: TokenIds, frame: SpecialFrame, { truncateTo, truncationSide }: RowRules): TokenIds {
  if (truncateTo === undefined) return ids;
  const room = truncateTo - frame.before.length - frame.after.length;
  if (room < 0) throw mustBe('maxLength', `at least ${truncateTo - room}, the number of special tokens`, truncateTo);
  if (ids.length <= room) return ids;
  return truncationSide === 'left' ? ids.slice(ids.length - room) : ids.slice(0, room);
}

/**
 * Pads rows with the pad token and creates their attention mask.
 * @throws Blip2Error `INVALID_ARGUMENT` if the tokenizer has no pad token.
 */
export function pad(
  rows: readonly TokenIds[],
  padTokenId: number | undefined,
  { padTo, paddingSide }: RowRules,
): BatchEncoding {
  const masks = rows.map((row) => row.map(() => 1));
  if (padTo === undefined) return { inputIds: rows, attentionMask: masks };
  if (padTokenId === undefined)
    throw new Blip2Error('INVALID_ARGUMENT', 'The tokenizer has no pad token', {
      argument: 'padding',
      fix: 'Encode the texts one by one, or set pad_token in tokenizer_config.json',
    });
  const length = padTo === 'longest' ? rows.reduce((longest, row) => Math.max(longest, row.length), 0) : padTo;
  const fill = (row: readonly number[], value: number): readonly number[] => {
    const missing = Array.from({ length: Math.max(0, length - row.length) }, () => value);
    return paddingSide === 'left' ? [...missing, ...row] : [...row, ...missing];
  };
  return { inputIds: rows.map((row) => fill(row, padTokenId)), attentionMask: masks.map((mask) => fill(mask, 0)) };
}

function side(value: unknown, argument: string): Side | undefined {
  if (value === undefined || value === 'left' || value === 'right') return value;
  throw mustBe(argument, "'left' or 'right'", value);
}
