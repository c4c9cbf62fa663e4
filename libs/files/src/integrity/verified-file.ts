import { readFile, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';

import { makeFolder } from '../make-folder.ts';
import { bootId } from '../process-identity.ts';

/** Verdict on the contents of a file. */
export type Verdict = 'ok' | 'damaged';

/** Verdicts of this process, by path. Used where no record can be written. */
const verdicts = new Map<string, { readonly state: string; readonly verdict: Verdict }>();

/** A file and the path of its record, which holds the state in which its contents were verified. */
export interface RecordedFile {
  readonly file: string;
  /** In an existing folder, or in one that is created. */
  readonly record: string;
}

/**
 * Whether the contents of a file are intact. `read` compares them with a checksum; it is only called once after each
 * start of the machine, and again whenever the file was replaced, written to or touched. The record remembers this for
 * other processes. It contains `ctime`, which changes with every write and cannot be set back.
 */
export async function verifyOnce({ file, record }: RecordedFile, read: () => Promise<Verdict>): Promise<Verdict> {
  const before = await stateOf(file);
  if (before === undefined) return 'damaged';
  const known = await knownVerdict({ file, record }, before);
  if (known !== undefined) return known;
  const verdict = await read();
  const after = await stateOf(file);
  // Written to while it was read.
  if (after !== before) return 'damaged';
  await remember({ file, record }, after, verdict);
  return verdict;
}

/** Whether a file is known to be intact, so that `verifyOnce` will not read it. */
export async function isVerified(recorded: RecordedFile): Promise<boolean> {
  const state = await stateOf(recorded.file);
  return state !== undefined && (await knownVerdict(recorded, state)) === 'ok';
}

async function knownVerdict({ file, record }: RecordedFile, state: string): Promise<Verdict | undefined> {
  const known = verdicts.get(file);
  if (known?.state === state) return known.verdict;
  return (await readFile(record, 'utf8').catch(() => '')) === state ? 'ok' : undefined;
}

/** Records that a file was verified in the state that it has now. Call it after creating a file with its checksum. */
export async function markVerified(recorded: RecordedFile): Promise<void> {
  const state = await stateOf(recorded.file);
  if (state !== undefined) await remember(recorded, state, 'ok');
}

/** Makes the next `verifyOnce` read a file again. */
export async function forgetVerified({ file, record }: RecordedFile): Promise<void> {
  verdicts.delete(file);
  await rm(record, { force: true }).catch(() => undefined);
}

async function remember({ file, record }: RecordedFile, state: string, verdict: Verdict): Promise<void> {
  verdicts.set(file, { state, verdict });
  if (verdict === 'damaged') return rm(record, { force: true }).catch(() => undefined);
  // In a read-only folder, each process verifies the file.
  await makeFolder(dirname(record)).catch(() => undefined);
  await writeFile(record, state).catch(() => undefined);
}

async function stateOf(file: string): Promise<string | undefined> {
  const found = await stat(file, { bigint: true }).catch(() => undefined);
  return found && [bootId, found.dev, found.ino, found.size, found.mtimeNs, found.ctimeNs].join('\n');
}

/** Resolution of the time of last use in milliseconds, so that frequent use does not update it each time. */
const USE_GRAIN = 3_600_000;

/**
 * Time of last use of a file. It is the modification time of the record, since the file itself must stay unchanged;
 * that
 * of the file if it was touched after it was verified, or has no record. Access times are unsuitable: depending on the
 * system, any read updates them, or none does.
 */
export async function lastUsed(recorded: RecordedFile): Promise<Date | undefined> {
  return (await recordInUse(recorded)) ?? (await stat(recorded.file).catch(() => undefined))?.mtime;
}

/** Records the use of a verified file, to the hour. Failures are ignored. */
export async function markUsed(recorded: RecordedFile): Promise<void> {
  const then = await recordInUse(recorded);
  if (!then || Date.now() - then.getTime() < USE_GRAIN) return;
  await utimes(recorded.record, new Date(), new Date()).catch(() => undefined);
}

async function recordInUse({ file, record }: RecordedFile): Promise<Date | undefined> {
  const [text, found, state] = await Promise.all([
    readFile(record, 'utf8').catch(() => undefined),
    stat(record).catch(() => undefined),
    stateOf(file),
  ]);
  // The state without the boot, which does not matter here.
  const ofFile = (value: string | undefined): string | undefined => value?.slice(value.indexOf('\n'));
  return text !== undefined && ofFile(text) === ofFile(state) ? found?.mtime : undefined;
}
