import { stat } from 'node:fs/promises';

import { mustBe } from '@blip2/interfaces';
import { stringify } from 'csv-stringify/sync';

import { appendedFile } from '../output/appended-file.ts';
import { expectWritable } from '../output/output-path.ts';
import type { ResumeOptions } from '../output/output-request.ts';
import type { ResultSink } from '../output/result-sink.ts';
import { resumeCsv } from './csv-resume.ts';
import { type Cell, resultsOf, type Table } from './table.ts';

/**
 * Opens a CSV file (RFC 4180: commas, CRLF, a header line; UTF-8) that a later run resumes. It has the columns of the
 * table that hold single values. Inputs that failed are left out.
 * @throws Blip2Error `INVALID_ARGUMENT` if the file belongs to another run.
 */
export async function openCsvFile(
  file: string,
  table: Table,
  { record, restart, keyOf }: ResumeOptions,
): Promise<ResultSink> {
  await expectWritable(file);
  const single = table.columns.map(({ type }) => !type.endsWith('[]'));
  const names = table.columns.map(({ name }) => name).filter((_, index) => single[index]);
  const resuming =
    !restart &&
    (await stat(file).then(
      ({ size }) => size > 0,
      () => false,
    ));
  const done = resuming
    ? await resumeCsv(file, { record, keyOf, names, rowsPerResult: table.rowsPerResult })
    : new Set<string>();
  const { write, close } = appendedFile(file, { record, resuming, header: csv([names]) });
  return {
    done,
    resumable: true,
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
