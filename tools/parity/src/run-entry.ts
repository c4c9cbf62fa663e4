import { camelCase } from './camel-case.ts';
import type { CaseModels } from './case-models.ts';
import { type Comparison, NOTHING_COMPARED } from './compare.ts';
import { compareOutputs } from './compare-outputs.ts';
import { readEntryInputs } from './entry-inputs.ts';
import type { EntryKind } from './entry-kind.ts';
import type { GoldenCase, GoldenEntry, Tolerance } from './golden-case.ts';
import { caseFile, caseImage } from './images.ts';
import type { JsonObject } from './json-shape.ts';

/** The result of one entry. */
export interface EntryResult {
  readonly case: string;
  readonly name: string;
  readonly kind: string;
  readonly status: 'passed' | 'failed';
  /** Number of elements compared. */
  readonly elements: number;
  /** Largest absolute difference of the float outputs. */
  readonly largest: number;
  /** Largest difference relative to its tolerance. */
  readonly largestRatio: number;
  readonly tolerance: Tolerance;
  /** Whether it failed with an exception. */
  readonly threw: boolean;
  /** Why it failed. */
  readonly reason?: string;
}

/** Entry kinds by the manifest's name. */
export type EntryKinds = ReadonlyMap<string, EntryKind>;

/** Calls the library and compares the outputs. Anything that goes wrong, including an exception, fails the entry. */
export async function runEntry(
  golden: GoldenCase,
  models: CaseModels,
  entry: GoldenEntry,
  kinds: EntryKinds,
): Promise<EntryResult> {
  try {
    return toResult(golden, entry, await callAndCompare(golden, models, entry, kinds));
  } catch (error) {
    return { ...toResult(golden, entry, { ...NOTHING_COMPARED, failure: describe(error) }), threw: true };
  }
}

async function callAndCompare(
  golden: GoldenCase,
  models: CaseModels,
  entry: GoldenEntry,
  kinds: EntryKinds,
): Promise<Comparison> {
  const kind = kinds.get(entry.kind);
  if (!kind) return { ...NOTHING_COMPARED, failure: `unknown kind ${entry.kind}` };
  const unknown = unknownNames(entry, kind);
  if (unknown.length > 0) return { ...NOTHING_COMPARED, failure: `unknown ${unknown.join(', ')}` };
  const produced = await kind.run({
    models,
    inputs: readEntryInputs(golden, entry),
    options: camelCaseKeys(entry.options),
    wanted: new Set([...entry.outputs.keys()].map(camelCase)),
    file: (name) => caseFile(golden, name),
    image: (name) => caseImage(golden, name),
  });
  return compareOutputs(golden, entry, new Map<string, unknown>(Object.entries(produced)));
}

function unknownNames(entry: GoldenEntry, kind: EntryKind): string[] {
  const inputs = [...entry.inputs.keys()].filter((name) => !kind.inputs.includes(name)).map((name) => `input ${name}`);
  const options = Object.keys(entry.options)
    .filter((name) => !kind.options.includes(name))
    .map((name) => `option ${name}`);
  return [...inputs, ...options];
}

function camelCaseKeys(options: JsonObject): JsonObject {
  return Object.fromEntries(Object.entries(options).map(([name, value]) => [camelCase(name), value]));
}

function toResult(
  golden: GoldenCase,
  entry: GoldenEntry,
  { elements, largest, largestRatio, failure }: Comparison,
): EntryResult {
  return {
    case: golden.name,
    name: entry.name,
    kind: entry.kind,
    status: failure === undefined ? 'passed' : 'failed',
    elements,
    largest,
    largestRatio,
    tolerance: entry.tolerance,
    threw: false,
    ...(failure !== undefined && { reason: failure }),
  };
}

function describe(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return 'code' in error ? `${error.name} ${String(error.code)}: ${error.message}` : `${error.name}: ${error.message}`;
}
