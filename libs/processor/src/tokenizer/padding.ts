import { type AttentionMask, Blip2Error, type TokenIds } from '@blip2/interfaces';

import type { SpecialFrame } from './post-processor.ts';

export type Side = 'left' | 'right';

export interface BatchEncodeOptions {
  /** `true` or `'longest'`: to the longest row; `'max_length'`: to `maxLength`. Default false: rows stay ragged. */
  readonly padding?: boolean | 'longest' | 'max_length' | 'do_not_pad';
  /** Default: the tokenizer's own side. */
  readonly paddingSide?: Side;
  /** Cut rows to `maxLength`, special tokens included. Default: only if `maxLength` is given and `padding` is not. */
  readonly truncation?: boolean;
  /** The side that is cut. Default: the tokenizer's own. */
  readonly truncationSide?: Side;
  /** Tokens of a row, special tokens included. Default: the tokenizer's own limit, if it has one. */
  readonly maxLength?: number;
  /** Default true. */
  readonly addSpecialTokens?: boolean;
  /** Treat special tokens inside a text as plain text. Default false, as in the reference. */
  readonly escapeSpecialTokens?: boolean;
}

export interface BatchEncoding {
  readonly inputIds: readonly TokenIds[];
  readonly attentionMask: AttentionMask;
}

/** What a batch's options come to. Lengths are absent where nothing is cut or padded. */
export interface RowRules {
  readonly truncateTo: number | undefined;
  readonly truncationSide: Side;
  readonly padTo: number | 'longest' | undefined;
  readonly paddingSide: Side;
}

export interface SideDefaults {
  readonly paddingSide: Side;
  readonly truncationSide: Side;
  /** `Infinity` where nothing limits it. */
  readonly modelMaxLength: number;
}

/** The reference's `_get_padding_truncation_strategies`. `INVALID_ARGUMENT` for a length that is no natural number. */
export function rowRules(
  { padding = false, truncation, maxLength, paddingSide, truncationSide }: BatchEncodeOptions,
  defaults: SideDefaults,
): RowRules {
  if (maxLength !== undefined && (!Number.isSafeInteger(maxLength) || maxLength < 0)) {
    throw new Blip2Error('INVALID_ARGUMENT', 'Not a length', {
      where: 'maxLength',
      expected: 'a natural number of tokens',
      got: String(maxLength),
    });
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

/** Cuts the text, never the special tokens around it. `INVALID_ARGUMENT` if these alone are longer. */
export function truncate(ids: TokenIds, frame: SpecialFrame, { truncateTo, truncationSide }: RowRules): TokenIds {
  if (truncateTo === undefined) return ids;
  const room = truncateTo - frame.before.length - frame.after.length;
  if (room < 0)
    throw new Blip2Error('INVALID_ARGUMENT', 'Too short for the special tokens', {
      where: 'maxLength',
      expected: `at least ${truncateTo - room}`,
      got: String(truncateTo),
    });
  if (ids.length <= room) return ids;
  return truncationSide === 'left' ? ids.slice(ids.length - room) : ids.slice(0, room);
}

/** Fills rows with the pad token; the mask is 0 there. `INVALID_ARGUMENT` if there is none. */
export function pad(
  rows: readonly TokenIds[],
  padTokenId: number | undefined,
  { padTo, paddingSide }: RowRules,
): BatchEncoding {
  const masks = rows.map((row) => row.map(() => 1));
  if (padTo === undefined) return { inputIds: rows, attentionMask: masks };
  if (padTokenId === undefined)
    throw new Blip2Error('INVALID_ARGUMENT', 'The tokenizer has no pad token', {
      where: 'padding',
      fix: 'Encode the texts one by one, or set pad_token in tokenizer_config.json',
    });
  const length = padTo === 'longest' ? rows.reduce((longest, row) => Math.max(longest, row.length), 0) : padTo;
  const fill = (row: readonly number[], value: number): readonly number[] => {
    const missing = Array.from({ length: Math.max(0, length - row.length) }, () => value);
    return paddingSide === 'left' ? [...missing, ...row] : [...row, ...missing];
  };
  return { inputIds: rows.map((row) => fill(row, padTokenId)), attentionMask: masks.map((mask) => fill(mask, 0)) };
}

function side(value: unknown, where: string): Side | undefined {
  if (value === undefined || value === 'left' || value === 'right') return value;
  throw new Blip2Error('INVALID_ARGUMENT', 'Not a side', { where, expected: 'left or right', got: String(value) });
}
