import { stat } from 'node:fs/promises';
import { join, parse } from 'node:path';

import { Blip2Error } from '@blip2/interfaces';

import { expectNoInput, expectWritable } from '../../output/open-sink.ts';
import { writeFailed } from '../../output/write-failed.ts';

/**
 * The PNG of each image: `output` itself for one, in the folder `output` for several or where it is a folder or ends
 * like one; there each has the image's name, those
 * that would have the same name numbered in order. A folder that is not there is made.
 * @throws Blip2Error `INVALID_ARGUMENT` where `output` is no PNG and no folder, or an image would be overwritten;
 * `WRITE_FAILED`.
 */
export async function heatmapOutputs(output: string, inputs: readonly string[]): Promise<string[]> {
  const isFolder =
    /[/\\]$/.test(output) ||
    (await stat(output).then(
      (stats) => stats.isDirectory(),
      () => false,
    ));
  if (!isFolder && !/\.png$/i.test(output))
    throw new Blip2Error('INVALID_ARGUMENT', 'A heatmap is a PNG', {
      where: '--output',
      expected: 'a file ending in .png, or a folder',
      got: output,
    });
  if (!isFolder && inputs.length > 1)
    throw new Blip2Error('INVALID_ARGUMENT', 'Heatmaps of several images need a folder', {
      where: '--output',
      expected: 'a folder, such as maps/',
      got: output,
    });
  if (isFolder) {
    const { makeFolder } = await import('@blip2/files');
    await makeFolder(output).catch((cause: unknown) => {
      throw writeFailed(output, cause);
    });
  }
  const files = isFolder ? distinctNames(inputs).map((name) => join(output, name)) : [output];
  for (const file of files) await expectNoInput(file, inputs);
  if (files[0] !== undefined) await expectWritable(files[0]);
  return files;
}

function distinctNames(inputs: readonly string[]): string[] {
  const taken = new Set<string>();
  return inputs.map((input) => {
    const stem = stemOf(input);
    let name = `${stem}.png`;
    // Names that differ in case only are one on some file systems.
    for (let number = 2; taken.has(name.toLowerCase()); number++) name = `${stem}-${number}.png`;
    taken.add(name.toLowerCase());
    return name;
  });
}

function stemOf(input: string): string {
  const path = URL.canParse(input) ? new URL(input).pathname : input;
  return parse(path).name || 'image';
}

/** Where the values of a map go: beside its PNG. */
export function valuesFile(png: string): string {
  return png.replace(/\.png$/i, '.npy');
}
