import { basename } from 'node:path';

import { type FileSource, fileSource, type IndexedSample, indexTar } from '@blip2/webdataset';

import { exampleOfRecord, IMAGE_EXTENSIONS, parseRecord, problemOf } from './example-of-text.ts';
import type { ExampleProblem, OpenedExamples, TrainingExample } from './training-example.ts';

const CAPTION_EXTENSIONS = ['txt', 'caption'];
const MAX_TEXT_BYTES = 2 ** 16;

/**
 * Reads a webdataset archive: a sample is an image with `.txt` (its caption), or with `.json` of a caption, or of a
 * question and its answer. Images stay in the archive until they are needed.
 * @throws Blip2Error `MISSING_FILE`; `INVALID_ARCHIVE` for damaged and compressed archives.
 */
export async function readTar(path: string): Promise<OpenedExamples> {
  const archive = await fileSource(path);
  try {
    const { samples } = await indexTar(archive);
    const examples: TrainingExample[] = [];
    const problems: ExampleProblem[] = [];
    for (const sample of samples) {
      const found = await exampleOf(archive, sample, `${basename(path)}, ${sample.key}`);
      if ('fault' in found) problems.push(found);
      else examples.push(found);
    }
    return { examples, problems, [Symbol.asyncDispose]: () => archive.close() };
  } catch (error) {
    await archive.close();
    throw error;
  }
}

async function exampleOf(
  archive: FileSource,
  { files, refused }: IndexedSample,
  where: string,
): Promise<TrainingExample | ExampleProblem> {
  const [reason] = refused.values();
  const image = IMAGE_EXTENSIONS.map((extension) => files.get(extension)).find((file) => file !== undefined);
  if (!image) return problemOf(where, 'missing image', reason ?? [...files.keys()].join(', '));
  const file = [...CAPTION_EXTENSIONS, 'json'].map((extension) => [extension, files.get(extension)] as const);
  const [extension, text] = file.find(([, found]) => found !== undefined) ?? [];
  if (!text || text.size > MAX_TEXT_BYTES) return problemOf(where, 'empty caption', reason ?? 'no text');
  const content = new TextDecoder().decode(await archive.read(text.offset, text.size));
  const record = extension === 'json' ? parseRecord(content) : { caption: content };
  if (!record) return problemOf(where, 'broken line', content);
  return exampleOfRecord(record, where, {
    name: image.name,
    read: () => archive.read(image.offset, image.size),
  });
}
