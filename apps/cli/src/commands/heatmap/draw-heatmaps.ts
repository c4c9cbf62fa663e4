import type { Environment } from '../../environment.ts';
import { describeFailure, failureReport } from '../../failure.ts';
import type { ImageInput } from '../../images/image-inputs.ts';
import type { Heatmap, HeatmapModel, HeatmapSubject } from '../../model/heatmap-port.ts';
import { jsonLine, oneLine } from '../../output/display-text.ts';
import { replaceFile } from '../../output/replaced-file.ts';
import { canShowProgress, CLEAR_LINE } from '../../output/terminal.ts';
import { type OpenedInput, openPending } from '../../run/open-pending.ts';
import { valuesFile } from './heatmap-outputs.ts';
import { scoreNote } from './score-note.ts';

/** An image and the PNG to write. */
export interface HeatmapJob {
  readonly input: ImageInput;
  readonly file: string;
}

export interface HeatmapRun {
  readonly subject: HeatmapSubject;
  readonly raw: boolean;
  readonly json: boolean;
  readonly quiet: boolean;
  readonly verbose: boolean;
  readonly progress: boolean;
  readonly allowPrivateUrls?: boolean | undefined;
  readonly environment: Environment;
  readonly signal: AbortSignal;
  /** Loads the model once, when the first image is open. */
  readonly model: () => Promise<HeatmapModel>;
}

/** Draws the maps one by one. Reports images that cannot be opened and skips them. Returns how many failed. */
export async function drawHeatmaps(jobs: readonly HeatmapJob[], run: HeatmapRun): Promise<number> {
  const {
    environment: { openImage, stdin, stderr, stdout },
    allowPrivateUrls,
    signal,
    json,
    verbose,
  } = run;
  let failed = 0;
  for (const { input, file } of jobs) {
    const opened = await openPending({ input, prompts: [''] }, { open: openImage, stdin, allowPrivateUrls, signal });
    if ('image' in opened) {
      await drawOne(opened, file, run);
      continue;
    }
    failed++;
    const { error } = opened;
    if (json) stdout.write(jsonLine({ image: opened.name, error: describeFailure(error) }));
    stderr.write(`${oneLine(opened.name)}: ${failureReport(error, verbose)}`);
  }
  return failed;
}

async function drawOne(
  { name, image }: Extract<OpenedInput, { readonly image: unknown }>,
  file: string,
  run: HeatmapRun,
): Promise<void> {
  const {
    environment: { stderr, stdout },
    signal,
  } = run;
  const heatmap = await (await run.model()).draw(image, { signal, onProgress: progressOf(run) });
  signal.throwIfAborted();
  await replaceFile(file, heatmap.overlay, { signal });
  if (run.raw) await replaceFile(valuesFile(file), await npyOf(heatmap.map), { signal });
  if (run.json) stdout.write(jsonLine(jsonOf(name, file, heatmap, run)));
  if (heatmap.score && !run.quiet) stderr.write(`${oneLine(name)}: ${scoreNote(heatmap.score, run.subject)}\n`);
}

function jsonOf(
  image: string,
  output: string,
  { score, runs, map }: Heatmap,
  { subject, raw }: HeatmapRun,
): Readonly<Record<string, unknown>> {
  const { method } = subject;
  const text =
    subject.method === 'occlusion'
      ? { text: subject.text, ...(subject.question !== undefined && { question: subject.question }) }
      : {};
  return {
    image,
    output,
    ...(raw && { values: valuesFile(output) }),
    method,
    ...text,
    ...(score && { score: score.value, scoreKind: score.kind }),
    shape: map.dims,
    runs,
  };
}

/** Shows a counter on the last line of a terminal, because occlusion runs the model hundreds of times. */
function progressOf({
  environment: { stderr, variables },
  progress,
  quiet,
}: HeatmapRun): (done: number, total: number) => void {
  if (!progress || quiet || !canShowProgress({ stderr, variables })) return () => {};
  return (done, total) => void stderr.write(done < total ? `${CLEAR_LINE}${done}/${total} runs` : CLEAR_LINE);
}

async function npyOf({ dims, data }: Heatmap['map']): Promise<Uint8Array> {
  // Imported on use, because `--help` loads this file.
  const { npyHeader } = await import('@blip2/tables');
  return Buffer.concat([npyHeader(dims), Buffer.from(data.buffer, data.byteOffset, data.byteLength)]);
}
