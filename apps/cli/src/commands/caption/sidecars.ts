import { stat } from 'node:fs/promises';
import { dirname, join, parse, resolve } from 'node:path';

import { Blip2Error, mustBe } from '@blip2/interfaces';

import { isUrl } from '../../images/image-inputs.ts';
import { nameOfPath, pathOfName, systemPath } from '../../images/path-names.ts';
import { oneLine } from '../../output/display-text.ts';
import { lockOutputs } from '../../output/output-lock.ts';
import { expectWritable } from '../../output/output-path.ts';
import type { OutputRequest } from '../../output/output-request.ts';
import { replaceFile } from '../../output/replaced-file.ts';
import type { ResultSink } from '../../output/result-sink.ts';
import { removeLeftovers } from '../../output/temporary-files.ts';
import { resultsOf } from '../../tables/table.ts';

/**
 * What is locked in a folder of images, followed by the extension: two runs may write `.txt` and `.json`, but not both
 * `.txt`.
 */
const LOCK_NAME = '.sidecars';
/** Each lock is updated every second. Two runs over one tree meet in its first folders. */
const MAX_LOCKED_FOLDERS = 100;

/** Number of files that are checked at the same time. */
const CHECKED_TOGETHER = 64;

/**
 * Writes the text of each result to a file next to its image, with the image's name and another extension: one line,
 * the format of training sets. An image whose file exists is done, unless the run starts over. An image whose file
 * cannot
 * be written, as in a read-only folder, fails; the others are done.
 * @throws Blip2Error `OUTPUT_IN_USE`; `INVALID_ARGUMENT` if two images would share a file, if a file would overwrite an
 * image, or if an image has no folder (stdin, URLs).
 */
export async function openSidecars(
  extension: string,
  { inputs, resume }: Omit<OutputRequest, 'output'>,
): Promise<ResultSink> {
  const files = sidecarsOf(inputs, extension);
  const folders = [...new Set([...files.values()].map((file) => dirname(file)))];
  const locked = folders.slice(0, MAX_LOCKED_FOLDERS).map((folder) => join(folder, LOCK_NAME + extension));
  const locks = await lockOutputs(locked, resume.signal ?? new AbortController().signal);
  try {
    return await openLocked(files, folders, resume, locks);
  } catch (error) {
    await locks[Symbol.asyncDispose]();
    throw error;
  }
}

async function openLocked(
  files: ReadonlyMap<string, string>,
  folders: readonly string[],
  resume: OutputRequest['resume'],
  locks: AsyncDisposable,
): Promise<ResultSink> {
  for (const folder of folders) await removeLeftovers(folder);
  // Images that are named several times share a file.
  const done = new Map<string, number>();
  const failures = new Map<string, Blip2Error>();
  const check = async (image: string, file: string): Promise<void> => {
    const key = resume.keyOf({ image });
    if (key !== undefined && !resume.restart && (await isFile(file))) done.set(key, Infinity);
    else
      await expectWritable(file).catch((error: unknown) => {
        if (!(error instanceof Blip2Error)) throw error;
        failures.set(image, error);
      });
  };
  const entries = [...files];
  for (let start = 0; start < entries.length; start += CHECKED_TOGETHER)
    await Promise.all(entries.slice(start, start + CHECKED_TOGETHER).map(([image, file]) => check(image, file)));
  const [failure] = failures.values();
  if (failure && failures.size === files.size) throw failure;
  return {
    done,
    failures,
    resumable: true,
    async write(lines) {
      for (const { image, text } of resultsOf(lines)) {
        const file = files.get(String(image));
        if (file !== undefined) await replaceFile(file, `${oneLine(String(text).replace(/\s+/gu, ' '))}\n`);
      }
    },
    close: () => Promise.resolve(locks[Symbol.asyncDispose]()),
  };
}

async function isFile(path: string): Promise<boolean> {
  return stat(systemPath(path)).then(
    (stats) => stats.isFile(),
    () => false,
  );
}

/** The sidecar of each image, by the name of the image. */
function sidecarsOf(inputs: readonly string[], extension: string): ReadonlyMap<string, string> {
  const images = new Map(inputs.map((input) => [resolve(pathOfName(input)), input]));
  const owners = new Map<string, string>();
  const files = new Map<string, string>();
  for (const input of inputs) {
    if (input === '-' || isUrl(input))
      throw mustBe('Every image with --sidecar', 'a file', input, { fix: 'Write to a file with -o' });
    const { dir, name } = parse(pathOfName(input));
    const file = join(dir, name + extension);
    const target = resolve(file);
    const owner = owners.get(target);
    if (owner !== undefined && resolve(pathOfName(owner)) !== resolve(pathOfName(input)))
      throw new Blip2Error('INVALID_ARGUMENT', 'Two images would share a sidecar', {
        where: nameOfPath(file),
        got: `${owner} and ${input}`,
        fix: 'Rename one of them, or write to a file with -o',
      });
    if (images.has(target))
      throw new Blip2Error('INVALID_ARGUMENT', 'A sidecar would overwrite one of the images', {
        where: nameOfPath(file),
        fix: 'Use another --sidecar-extension',
      });
    owners.set(target, input);
    files.set(input, file);
  }
  return files;
}
