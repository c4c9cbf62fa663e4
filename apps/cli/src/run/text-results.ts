import type { TextResult } from '@blip2/blip2';
import type { TableColumn } from '@blip2/tables';

import { hundredth } from '../output/display-text.ts';
import type { Table } from '../tables/table.ts';
import { doubleColumn, oneRowTable, stringColumn } from '../tables/table-cells.ts';

/** The fields of a generated text that outputs contain. */
export type TextOutput = Pick<TextResult, 'text' | 'tokenIds' | 'score' | 'timings'>;

/** The JSON keys of every generated text; times in milliseconds, rounded to two decimals. */
export function textResultJson({ text, tokenIds, score, timings }: TextOutput): Readonly<Record<string, unknown>> {
  const rounded = Object.entries(timings).map(([stage, time]) => [stage, hundredth(time)] as const);
  return { text, tokenIds, score, timings: Object.fromEntries(rounded) };
}

const TEXT_COLUMNS: readonly TableColumn[] = [
  stringColumn('text'),
  { name: 'tokenIds', type: 'int32[]' },
  doubleColumn('score'),
];

/** Results of `caption` and of `ask` as tables: the keys of the JSON lines, without times. */
export const captionTable: Table = oneRowTable([stringColumn('image'), ...TEXT_COLUMNS]);
export const askTable: Table = oneRowTable([stringColumn('image'), stringColumn('question'), ...TEXT_COLUMNS]);
