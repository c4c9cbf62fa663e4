import type { EntryResult } from './run-entry.ts';

/** One line: case, name, elements compared, largest difference, tolerance, outcome. */
export function entryLine(result: EntryResult): string {
  const { atol, rtol } = result.tolerance;
  const measured = `${result.elements} elements, largest ${short(result.largest)}, tolerance ${short(atol)} + ${short(rtol)}·|e|`;
  return `${result.case}  ${result.name}  ${measured}  ${result.status}${result.reason === undefined ? '' : ` (${result.reason})`}`;
}

/** The closing line. The three numbers add up to the number of entries. */
export function summaryLine(results: readonly EntryResult[]): string {
  const count = (status: EntryResult['status']): number => results.filter((result) => result.status === status).length;
  return `${count('passed')} passed, ${count('failed')} failed, ${count('skipped')} skipped`;
}

/** What `--json` writes, in this order of fields. */
export function toJson(results: readonly EntryResult[]): string {
  const rows = results.map(({ case: caseName, name, kind, status, elements, largest, tolerance, reason }) => ({
    case: caseName,
    name,
    kind,
    status,
    elements,
    largest,
    tolerance,
    ...(reason !== undefined && { reason }),
  }));
  return `${JSON.stringify(rows, undefined, 1)}\n`;
}

function short(value: number): string {
  return String(Number(value.toPrecision(2)));
}
