import type { EntryResult } from './run-entry.ts';

/** One line: case, name, number of elements, largest difference, tolerance, status. */
export function entryLine(result: EntryResult): string {
  const { atol, rtol } = result.tolerance;
  const tolerance = `${short(atol)} + ${short(rtol)}·|e|`;
  const measured = `${result.elements} elements, largest ${short(result.largest)}, tolerance ${tolerance}`;
  const reason = result.reason === undefined ? '' : ` (${result.reason})`;
  return `${result.case}  ${result.name}  ${measured}  ${result.status}${reason}`;
}

/** The closing line. The format asks for the number of skipped entries too: this runner skips none. */
export function summaryLine(results: readonly EntryResult[]): string {
  const count = (status: EntryResult['status']): number => results.filter((result) => result.status === status).length;
  return `${count('passed')} passed, ${count('failed')} failed, 0 skipped`;
}

/** The content of the file that `--json` writes. */
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
