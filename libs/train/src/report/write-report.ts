import { basename, join } from 'node:path';

import { isError } from '@blip2/interfaces';
import { decodeImage, encodeJpeg } from '@blip2/processor';

import type { ExampleImage } from '../examples/training-example.ts';
import type { OpenRun } from '../run/open-run.ts';
import { readRecord } from '../run/run-record.ts';
import { readLines, replaceFile, STEP_LOG, type StepReport } from '../run/step-log.ts';
import { readValidations } from '../validation/validator.ts';
import { reportHtml } from './report-html.ts';

/** Height of a thumbnail in pixels. */
const THUMBNAIL = 96;

/** Writes the report of a run, `report.html` in its folder. */
export async function writeReport({ folder, validation }: OpenRun, output: string): Promise<void> {
  const validations = await readValidations(folder);
  const shown = new Set(validations.at(-1)?.samples.map(({ image }) => image));
  const images = new Map<string, string>();
  for (const { image } of validation?.examples ?? []) {
    if (!shown.has(image.name) || images.has(image.name)) continue;
    const thumbnail = await thumbnailOf(image);
    if (thumbnail !== undefined) images.set(image.name, thumbnail);
  }
  const html = reportHtml({
    title: `Training of ${basename(output)}`,
    settings: (await readRecord(folder)) ?? {},
    steps: await readLines<StepReport>(folder, STEP_LOG),
    validations,
    images,
  });
  await replaceFile(join(folder, 'report.html'), html);
}

/** A small JPEG as a data URL; undefined for an image that has changed since it was encoded. */
async function thumbnailOf(image: ExampleImage): Promise<string | undefined> {
  try {
    const decoded = await decodeImage(await image.read());
    const [height, width] = decoded.dims;
    const scale = Math.min(1, THUMBNAIL / height);
    const size = { height: Math.max(1, Math.round(height * scale)), width: Math.max(1, Math.round(width * scale)) };
    const jpeg = await encodeJpeg(decoded, size);
    return `data:image/jpeg;base64,${Buffer.from(jpeg).toString('base64')}`;
  } catch (error) {
    if (isError(error)) return undefined;
    throw error;
  }
}
