import { createHash } from 'node:crypto';
import { link, readdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { makeFolder, readJsonFile, systemCode, temporaryName, wrapWriteErrors } from '@blip2/files';
import { Blip2Error } from '@blip2/interfaces';

import type { Shard } from '../plan/plan-shards.ts';

/** What the results of a run depend on, as text: task, model and its revision, precision, options, version. */
export type RunDescription = Readonly<Record<string, string>>;

/** A run in its output folder. */
export interface RunRecord {
  /** SHA-256 of the description and of all inputs. */
  readonly fingerprint: string;
  readonly shards: number;
  readonly description: RunDescription;
}

const FILE = 'run.json';
const MAX_BYTES = 1_048_576;
const VERSION = 1;

/** Digest of what a run computes, from its description and its inputs. */
export function runFingerprint(description: RunDescription, shards: readonly Shard[]): string {
  const sorted = Object.entries(description).toSorted(([a], [b]) => (a < b ? -1 : 1));
  const hash = createHash('sha256').update(JSON.stringify(sorted));
  for (const { index, work } of shards) hash.update(JSON.stringify([index, work]));
  return hash.digest('hex');
}

/**
 * Starts a run in a folder, or joins the same run in it. Of several processes that start it, all find one record.
 * @throws Blip2Error `OUTPUT_IN_USE` if the folder belongs to another run or has other files; `WRITE_FAILED`.
 */
export async function openRun(
  folder: string,
  description: RunDescription,
  shards: readonly Shard[],
): Promise<RunRecord> {
  await wrapWriteErrors(folder, makeFolder(folder));
  const record = { fingerprint: runFingerprint(description, shards), shards: shards.length, description };
  if ((await expectSame(folder, record)) === 'same') return record;
  const others = (await wrapWriteErrors(folder, readdir(folder))).filter((name) => !name.startsWith('.'));
  if (others.length > 0 && !others.includes(FILE))
    throw new Blip2Error('OUTPUT_IN_USE', 'The output folder has other files', {
      where: folder,
      expected: 'an empty folder, or that of the same run',
      got: others.slice(0, 3).join(', '),
      fix: 'Choose another folder',
    });
  const file = join(folder, FILE);
  const temporary = temporaryName(join(folder, `.${FILE}`));
  await wrapWriteErrors(
    file,
    writeFile(temporary, `${JSON.stringify({ version: VERSION, ...record }, undefined, 2)}\n`),
  );
  try {
    await link(temporary, file);
  } catch (error) {
    if (systemCode(error) !== 'EEXIST') await wrapWriteErrors(file, Promise.reject(error));
  } finally {
    await rm(temporary, { force: true });
  }
  await expectSame(folder, record);
  return record;
}

async function expectSame(folder: string, { fingerprint, description }: RunRecord): Promise<'same' | 'new'> {
  const json = await readJsonFile(folder, FILE, { code: 'INVALID_CONFIG', maxBytes: MAX_BYTES });
  if (!json) return 'new';
  if (json['fingerprint'] === fingerprint) return 'same';
  const earlier = (json['description'] ?? {}) as Readonly<Record<string, unknown>>;
  const names = [...new Set([...Object.keys(description), ...Object.keys(earlier)])];
  const changed = names.filter((name) => earlier[name] !== description[name]);
  throw new Blip2Error('OUTPUT_IN_USE', 'The output folder belongs to another run', {
    where: folder,
    got: changed.length > 0 ? `another ${changed.join(', ')}` : 'other inputs or another shard size',
    fix: 'Choose another folder, or the same inputs and options',
  });
}
