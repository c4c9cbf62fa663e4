import { join, parse } from 'node:path';

import { mustBe } from '@blip2/interfaces';

import { expectNoInput, expectWritable, isFolder } from '../../output/output-path.ts';
import { removeLeftovers } from '../../output/temporary-files.ts';
import { writeFailed } from '../../output/write-failed.ts';

/**
 * The PNG of each image: `output` itself, or a file in it if it is a folder or ends with a slash, which several images
 * require. Files in a folder have the names of the images; equal names are numbered. The folder is created if needed.
 * @throws Blip2Error `INVALID_ARGUMENT` if `output` is neither a PNG nor a folder, or if an image would be overwritten;
 * `WRITE_FAILED`.
 */
export async function heatmapOutputs(output: string, inputs: readonly string[]): Promise<string[]> {
  const toFolder = /[/\\]$/.test(output) || (await isFolder(output));
  if (!toFolder && !/\.png$/i.test(output)) throw mustBe('--output', 'a file ending in .png, or a folder', output);
  if (!toFolder && inputs.length > 1) throw mustBe('--output', 'a folder, such as maps/, for several images', output);
  if (toFolder) {
    const { makeFolder } = await import('@blip2/files');
    await makeFolder(output).catch((cause: unknown) => {
      throw writeFailed(output, cause);
    });
  }
  const files = toFolder ? distinctNames(inputs).map((name) => join(output, name)) : [output];
  for (const file of files) await expectNoInput(file, inputs);
  if (files[0] !== undefined) await expectWritable(files[0]);
  if (toFolder) await removeLeftovers(output);
  return files;
}

function distinctNames(inputs: readonly string[]): string[] {
  const taken = new Set<string>();
  return inputs.map((input) => {
    const stem = stemOf(input);
    let name = `${stem}.png`;
    // Names that differ only in case are equal on some file systems.
    for (let number = 2; taken.has(name.toLowerCase()); number++) name = `${stem}-${number}.png`;
    taken.add(name.toLowerCase());
    return name;
  });
}

function stemOf(input: string): string {
  const path = URL.canParse(input) ? new URL(input).pathname : input;
  return parse(path).name || 'image';
}

/** The file of a map's values, next to its PNG. */
export function valuesFile(png: string): string {
  return png.replace(/\.png$/i, '.npy');
}
