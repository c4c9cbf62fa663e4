import type { FeatureOutcome } from '@blip2/features';
import { defined, mustBe } from '@blip2/interfaces';
import { type Command, Option } from 'commander';

import type { CliCommand } from '../../command.ts';
import type { Environment } from '../../environment.ts';
import { ExitCode } from '../../exit-code.ts';
import { describeFailure } from '../../failure.ts';
import { demoModelFolder } from '../../model/demo-model.ts';
import type { ModelKind } from '../../model/model-kinds.ts';
import type { ImageEncoder } from '../../model/model-port.ts';
import { sourceOf, sourcesIn } from '../../model/model-source.ts';
import { openModel } from '../../model/open-model.ts';
import { positiveIntegerUpTo } from '../../options/argument-parsers.ts';
import {
  addModelOptions,
  addReportOptions,
  MAX_BATCH_SIZE,
  type ModelOptions,
  noProgressOption,
  recursiveOption,
  type ReportOptions,
} from '../../options/common-options.ts';
import { oneLine } from '../../output/display-text.ts';
import { interruptedExitCode, listenForInterrupts } from '../../run/interruption.ts';
import { createProgress } from '../../run/progress.ts';
import { featureInputs, isArchive } from './feature-inputs.ts';

interface FeaturesOptions extends ModelOptions, ReportOptions {
  readonly output: string;
  readonly recursive?: boolean;
  readonly batchSize: number;
  readonly progress: boolean;
}

const DEFAULT_BATCH_SIZE = 16;

const encoderKind: ModelKind<ImageEncoder> = {
  demoFolder: demoModelFolder,
  unused: ['language'],
  loadFrom: ({ openImageEncoder }) => openImageEncoder,
};

/** `blip2 features INPUT… -o FOLDER`: computes the features of the vision encoder once, for training. */
export const featuresCommand: CliCommand = {
  name: 'features',
  description: 'Compute the features of the vision encoder once, and keep them for training.',
  notes: `
The folder has float16 features in .safetensors files: features [images, positions, width], keys [images, 32] (SHA-256
of each image file) and names. Images that it has are not computed again, whatever they are called: run the same command
again to continue after an interruption. It holds the features of one encoder, with its weights, image settings and
precision; another one needs another folder.

INPUT: images, folders, globs, lists (@list.txt, @pairs.jsonl or pairs.jsonl) and webdataset archives (.tar, .tar.gz).

Examples:
  blip2 features photos/ -o features
  blip2 features pairs.jsonl -m ./blip2-opt-2.7b -o features
  blip2 features shards/00000.tar --vision ./siglip-base-patch16-224 -o siglip-features
`,
  configure(command) {
    command
      .argument('<input...>', 'Image, folder, "glob", list or webdataset archive')
      .addOption(
        new Option('-o, --output <folder>', 'Folder of the features; an earlier run in it is continued')
          .makeOptionMandatory()
          .helpGroup('Output:'),
      )
      .addOption(recursiveOption())
      .addOption(
        new Option('--batch-size <n>', 'Images that go through the encoder together')
          .argParser(positiveIntegerUpTo(MAX_BATCH_SIZE))
          .default(DEFAULT_BATCH_SIZE)
          .helpGroup('Images:'),
      );
    addReportOptions(command).addOption(noProgressOption());
    addModelOptions(command);
  },
  async run(command: Command, environment: Environment): Promise<ExitCode> {
    const options = command.opts<FeaturesOptions>();
    if (options.adapter !== undefined)
      throw mustBe('--adapter', 'omitted, because features are those of the frozen encoder', options.adapter);
    using interruption = listenForInterrupts(environment, options.quiet === true);
    const { signal } = interruption;
    const { images, count } = await featureInputs(command.args, options, environment, signal);
    await using encoder = await openModel(encoderKind, options, environment, signal, { repeated: true });
    const { computeFeatures, openFeatureStore } = await import('@blip2/features');
    await using store = await openFeatureStore(options.output, {
      encoder: encoder.key,
      about: defined({ model: sourcesIn(sourceOf(options, encoderKind)).join(' '), dtype: options.dtype }),
      signal,
    });
    const isCounted = options.progress && options.quiet !== true && !command.args.some(isArchive);
    const progress = createProgress(environment, isCounted);
    const counts: Counts = { encoded: 0, known: 0, failed: 0 };
    try {
      const outcomes = computeFeatures(images, store, encoder.encode, { batchSize: options.batchSize, signal });
      for await (const outcome of outcomes) {
        counts[outcome.status]++;
        progress.clear();
        await report(outcome, options, environment);
        progress.show(counts.encoded + counts.known + counts.failed, count);
      }
    } catch (error) {
      if (!signal.aborted) throw error;
    } finally {
      progress.clear();
      await store.flush();
    }
    if (options.quiet !== true) environment.stderr.write(summary(counts, signal.aborted));
    if (signal.aborted) return interruptedExitCode(environment);
    return counts.failed > 0 ? ExitCode.someInputsFailed : ExitCode.done;
  },
};

type Counts = Record<FeatureOutcome['status'], number>;

async function report(
  outcome: FeatureOutcome,
  { json }: FeaturesOptions,
  { stdout, stderr }: Environment,
): Promise<void> {
  const { name, status } = outcome;
  const failure = status === 'failed' ? describeFailure(outcome.error) : undefined;
  if (failure) stderr.write(`${oneLine(name)}: ${failure.code}: ${failure.message}\n`);
  if (json !== true) return;
  const { stdoutSink } = await import('../../output/result-sink.ts');
  const line = failure
    ? { image: name, error: failure }
    : { image: name, status, key: 'key' in outcome && outcome.key };
  await stdoutSink(stdout).write(`${JSON.stringify(line)}\n`);
}

function summary({ encoded, known, failed }: Counts, isInterrupted: boolean): string {
  const all = encoded + known + failed;
  const counts = `${encoded} of ${all} images encoded, ${known} known before, ${failed} failed.`;
  return isInterrupted ? `Interrupted: ${counts} Run the same command again to resume.\n` : `${counts}\n`;
}
