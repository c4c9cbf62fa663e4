import { mustBe } from '@blip2/interfaces';
import type { Cell } from '@blip2/tables';
import { stringify } from 'csv-stringify/sync';

import { appendedFile } from '../output/appended-file.ts';
import type { ResumeOptions } from '../output/output-request.ts';
import { outputTarget } from '../output/output-target.ts';
import type { ResultSink } from '../output/result-sink.ts';
import { resumeCsv } from './csv-resume.ts';
import { resultsOf, type Table } from './table.ts';

/**
 * Opens a CSV file (RFC 4180: commas, CRLF, a header line; UTF-8) that a later run resumes. It has the columns of the
 * table that hold single values. Inputs that failed are left out.
 * @throws Blip2Error `INVALID_ARGUMENT` if the file belongs to another run.
 */
export async function openCsvFile(
  file: string,
  table: Table,
  { record, restart, keyOf, signal }: ResumeOptions,
): Promise<ResultSink> {
  const target = await outputTarget(file);
  const single = table.columns.map(({ type }) => !type.endsWith('[]'));
  const names = table.columns.map(({ name }) => name).filter((_, index) => single[index]);
  const resuming = target.kind !== 'stream' && (target.stats?.size ?? 0) > 0 && !restart;
  const done = resuming
    ? await resumeCsv(target.path, { record, keyOf, names, rowsPerResult: table.rowsPerResult })
    : new Map<string, number>();
  const { write, close } = appendedFile(target, { record, resuming, header: csv([names]), signal });
  return {
    done,
    resumable: target.kind !== 'stream',
    async write(lines) {
      const rows = resultsOf(lines)
        .flatMap((result) => table.rowsOf(result))
        .map((cells) => cells.filter((_, index) => single[index]).map(cellText));
      // In one write: a killed run leaves at most one incomplete row.
      if (rows.length > 0) await write(csv(rows));
    },
    close,
  };
}

/** The library quotes the record delimiter, but not a single carriage return or line feed. */
function csv(rows: readonly (readonly string[])[]): string {
  return stringify([...rows.map((row) => [...row])], { record_delimiter: 'windows', quoted_match: /[\r\n]/ });
}

function cellText(cell: Cell): string {
  if (typeof cell === 'string') return cell;
  if (typeof cell === 'number') return Number.isNaN(cell) ? '' : String(cell);
  throw mustBe('A cell', 'a string or a number', cell);
}
