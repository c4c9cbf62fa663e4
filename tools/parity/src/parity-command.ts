import { writeFile } from 'node:fs/promises';
import { parseArgs } from 'node:util';

import { readGoldenCase, requireGoldenCases } from './golden-case.ts';
import { entryLine, summaryLine, toJson } from './report.ts';
import { runCase } from './run-case.ts';
import type { EntryResult } from './run-entry.ts';

const USAGE = 'usage: npm run parity -- FOLDER [--only CASE]… [--json FILE]';
const EXIT = { passed: 0, failed: 1, usage: 2 } as const;

/** Where the command writes: one call per line. */
export interface ParityOutput {
  readonly print: (line: string) => void;
  readonly complain: (line: string) => void;
}

interface Arguments {
  readonly folder: string;
  readonly only: readonly string[];
  readonly json: string | undefined;
}

/** `npm run parity`: runs every entry of every case in a folder, and returns the exit code. */
export async function parityCommand(args: readonly string[], output: ParityOutput): Promise<number> {
  const given = parseArguments(args);
  if (typeof given === 'string') {
    output.complain(`${given}\n${USAGE}`);
    return EXIT.usage;
  }
  try {
    return await runFolder(given, output);
  } catch (error) {
    output.complain(reasonOf(error));
    return EXIT.failed;
  }
}

async function runFolder({ folder, only, json }: Arguments, { print, complain }: ParityOutput): Promise<number> {
  const results: EntryResult[] = [];
  const unread: string[] = [];
  const missing = new Set(only);
  for (const caseFolder of await requireGoldenCases(folder)) {
    const golden = await readGoldenCase(caseFolder).catch((error: unknown) => reasonOf(error));
    if (typeof golden === 'string') {
      unread.push(`${caseFolder} cannot be read: ${golden}`);
      continue;
    }
    if (only.length > 0 && !only.includes(golden.name)) continue;
    missing.delete(golden.name);
    for await (const result of runCase(golden)) {
      print(entryLine(result));
      results.push(result);
    }
  }
  const problems = [
    ...unread,
    ...[...missing].map((name) => `no case is called ${name}`),
    ...results
      .filter(({ status }) => status === 'failed')
      .map(({ case: name, name: entry }) => `${name}/${entry} failed`),
  ];
  if (json !== undefined) await writeFile(json, toJson(results));
  for (const problem of problems) complain(problem);
  print(summaryLine(results));
  return problems.length === 0 && results.length > 0 ? EXIT.passed : EXIT.failed;
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** The parsed arguments, or a message. */
function parseArguments(args: readonly string[]): Arguments | string {
  try {
    const { values, positionals } = parseArgs({
      args: [...args],
      allowPositionals: true,
      options: {
        only: { type: 'string', multiple: true },
        json: { type: 'string' },
      },
    });
    const [folder, ...others] = positionals;
    if (folder === undefined) return 'FOLDER must be a folder with golden cases, got nothing';
    // `--only CASE…` takes several names: the arguments after the folder belong to it.
    if (others.length > 0 && values.only === undefined)
      return `FOLDER must be one folder, got ${positionals.join(' ')}`;
    return {
      folder,
      only: [...(values.only ?? []), ...others],
      json: values.json,
    };
  } catch (error) {
    return reasonOf(error);
  }
}
