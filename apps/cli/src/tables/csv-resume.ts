import { createReadStream } from 'node:fs';
import { open, stat, truncate } from 'node:fs/promises';
import { pipeline } from 'node:stream/promises';

import { Blip2Error } from '@blip2/interfaces';
import { CsvError, parse } from 'csv-parse';

import type { ResumeOptions } from '../output/output-request.ts';
import { countLine } from '../output/result-sink.ts';
import { expectSameRun } from '../output/run-record.ts';

interface CsvRun extends Pick<ResumeOptions, 'record' | 'numbers' | 'keyOf'> {
  /** The header. */
  readonly names: readonly string[];
  readonly rowsPerResult: number;
}

const DELIMITER = '\r\n';

/**
 * Reads the keys of the complete results in a CSV file of an earlier run, and truncates the file after them.
 * @throws Blip2Error `INVALID_ARGUMENT` if the file belongs to another run.
 */
export async function resumeCsv(file: string, run: CsvRun): Promise<Map<string, number>> {
  await expectSameRun(file, run);
  const rows = await wholeRows(file);
  const done = new Map<string, number>();
  let kept = rows[0]?.end ?? 0;
  for (let start = 1; start + run.rowsPerResult <= rows.length; start += run.rowsPerResult) {
    const result = rows.slice(start, start + run.rowsPerResult);
    const keys = new Set(
      result.map(({ cells }) => run.keyOf(Object.fromEntries(run.names.map((name, index) => [name, cells[index]])))),
    );
    const [key] = keys;
    if (key === undefined || keys.size > 1 || result.some(({ cells }) => cells.length !== run.names.length))
      throw otherFile(file, start + 1);
    countLine(done, key);
    kept = result.at(-1)?.end ?? kept;
  }
  if (rows[0] && rows[0].cells.join() !== run.names.join()) throw otherFile(file, 1);
  await truncate(file, kept);
  return done;
}

function otherFile(file: string, row: number): Blip2Error {
  return new Blip2Error('INVALID_ARGUMENT', 'The output file was changed after it was written', {
    where: `${file}, row ${row}`,
    fix: 'Write to another file, or start over with --restart',
  });
}

interface Row {
  readonly cells: readonly string[];
  /** Bytes of the file up to and including the row's delimiter. */
  readonly end: number;
}

/** Complete rows. A last row without its delimiter is left out. */
async function wholeRows(file: string): Promise<Row[]> {
  const { size } = await stat(file);
  const last = await lastBytes(file, size);
  // Half of a delimiter would be parsed as part of a cell.
  const end = last.endsWith('\r') ? size - 1 : size;
  const rows: Row[] = [];
  const parser = parse({
    record_delimiter: DELIMITER,
    bom: true,
    relax_column_count: true,
    skip_empty_lines: false,
    on_record: (cells: string[], { bytes }) => void rows.push({ cells, end: bytes }),
  });
  try {
    await pipeline(createReadStream(file, { end: end - 1 }), parser);
  } catch (error) {
    // A row that was cut off within quotes lacks the closing one.
    if (!(error instanceof CsvError && error.code === 'CSV_QUOTE_NOT_CLOSED'))
      throw new Blip2Error('INVALID_ARGUMENT', 'The output file is not valid CSV', {
        where: file,
        cause: error,
        fix: 'Start over with --restart',
      });
    return rows;
  }
  return last === DELIMITER ? rows : rows.slice(0, -1);
}

async function lastBytes(file: string, size: number): Promise<string> {
  const handle = await open(file);
  try {
    const { buffer } = await handle.read(
      Buffer.alloc(DELIMITER.length),
      0,
      DELIMITER.length,
      Math.max(0, size - DELIMITER.length),
    );
    return buffer.toString('latin1');
  } finally {
    await handle.close();
  }
}
