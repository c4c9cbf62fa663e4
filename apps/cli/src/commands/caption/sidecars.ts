import { access } from 'node:fs/promises';
import { dirname, join, parse, resolve } from 'node:path';

import { Blip2Error } from '@blip2/interfaces';

import { isUrl } from '../../images/is-url.ts';
import { oneLine } from '../../output/one-line.ts';
import { expectWritable } from '../../output/open-sink.ts';
import type { OutputRequest } from '../../output/output-request.ts';
import { replaceFile } from '../../output/replaced-file.ts';
import { resultsOf } from '../../output/result-lines.ts';
import type { ResultSink } from '../../output/result-sink.ts';

/** Files that are looked for at a time. */
const LOOKED_FOR_TOGETHER = 64;

/**
 * Writes the text of each result into a file beside its image, with the image's name and another extension, as trainers
 * of image models read it: one line. An image whose file exists is done, unless
 * the run starts over. Throws `INVALID_ARGUMENT` if two images would share a file, or a file would be one of the
 * images, or an image lies in no folder.
 */
export async function openSidecars(
  extension: string,
  { inputs, resume }: Omit<OutputRequest, 'output'>,
): Promise<ResultSink> {
  const files = sidecarsOf(inputs, extension);
  const first = new Map([...files.values()].map((file) => [dirname(file), file]));
  for (const file of first.values()) await expectWritable(file);
  const done = new Set<string>();
  const entries = resume.restart ? [] : [...files];
  for (let start = 0; start < entries.length; start += LOOKED_FOR_TOGETHER) {
    await Promise.all(
      entries.slice(start, start + LOOKED_FOR_TOGETHER).map(async ([image, file]) => {
        const key = resume.keyOf({ image });
        if (
          key !== undefined &&
          (await access(file).then(
            () => true,
            () => false,
          ))
        )
          done.add(key);
      }),
    );
  }
  return {
    done,
    resumable: true,
    async write(lines) {
      for (const { image, text } of resultsOf(lines)) {
        const file = files.get(String(image));
        if (file !== undefined) await replaceFile(file, `${oneLine(String(text).replace(/\s+/gu, ' '))}\n`);
      }
    },
    close: async () => {},
  };
}

/** By the name of the image. */
function sidecarsOf(inputs: readonly string[], extension: string): ReadonlyMap<string, string> {
  const images = new Map(inputs.map((input) => [resolve(input), input]));
  const owners = new Map<string, string>();
  const files = new Map<string, string>();
  for (const input of inputs) {
    if (input === '-' || isUrl(input))
      throw new Blip2Error('INVALID_ARGUMENT', 'This image lies in no folder', {
        where: '--sidecar',
        got: input,
        fix: 'Write to a file with -o',
      });
    const { dir, name } = parse(input);
    const file = join(dir, name + extension);
    const target = resolve(file);
    const owner = owners.get(target);
    if (owner !== undefined && resolve(owner) !== resolve(input))
      throw new Blip2Error('INVALID_ARGUMENT', 'Two images would share a sidecar', {
        where: file,
        got: `${owner} and ${input}`,
        fix: 'Rename one, or write to a file with -o',
      });
    if (images.has(target))
      throw new Blip2Error('INVALID_ARGUMENT', 'A sidecar would be one of the images', {
        where: file,
        fix: 'Name another --sidecar-extension',
      });
    owners.set(target, input);
    files.set(input, file);
  }
  return files;
}
