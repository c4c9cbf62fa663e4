import { Blip2Error } from '@blip2/interfaces';
import { type Command, Option } from 'commander';

import type { CliCommand } from '../../command.ts';
import type { Environment } from '../../environment.ts';
import type { ExitCode } from '../../exit-code.ts';
import type { Embedding, EmbeddingModel, EmbedPart } from '../../model/model-port.ts';
import { embeddingKind } from '../../model/open-model.ts';
import { positiveInteger, repeated } from '../../options/argument-parsers.ts';
import { addImageOptions, type ImageOptions } from '../../options/common-options.ts';
import { addModuleOption } from '../../options/module-option.ts';
import { isJsonLines } from '../../output/open-sink.ts';
import type { OpenOutput } from '../../output/output-request.ts';
import type { ImageTask } from '../../run/image-task.ts';
import { runImages } from '../../run/run-images.ts';
import { runTexts, type TextTask } from '../../run/run-texts.ts';
import { embedTable } from '../../tables/result-tables.ts';
import { tableOutput } from '../../tables/table.ts';
import { BEST_POOL, type Pool, pooled, POOLS } from './pool.ts';
import { isTensorFile, openTensorFile } from './tensor-file.ts';

interface EmbedOptions extends ImageOptions {
  readonly text?: readonly string[];
  readonly part?: EmbedPart;
  readonly pool?: Pool;
  readonly format?: (typeof FORMATS)[number];
  readonly shardSize: number;
}

/** Folders of several files. */
const FORMATS = ['clip-retrieval'] as const;
/** Vectors of one file of a folder: what a kill can cost, and 10 MB of 256 float32 values each. */
const DEFAULT_SHARD_SIZE = 10_000;

type Kind = 'images' | 'texts' | 'pairs';

/** What each kind of input has, the default first. */
const PARTS: Readonly<Record<Kind, readonly EmbedPart[]>> = {
  images: ['image-proj', 'vision', 'qformer', 'projection'],
  texts: ['text-proj', 'text'],
  pairs: ['multimodal'],
};

/** `blip2 embed (IMAGE… | -t TEXT…) -o FILE`: features of one part. */
export const embedCommand: CliCommand = {
  name: 'embed',
  configure(command) {
    command
      .description('Write features of images, of texts, or of every image with every text.')
      .argument('[image...]', 'File, "glob", folder, URL, @list.txt, @list.jsonl, or - for stdin')
      .option('-t, --text <text>', 'Text to embed; may be repeated', repeated)
      .addOption(
        new Option(
          '--part <part>',
          'Where to take them; default image-proj of images, text-proj of texts, multimodal of both',
        ).choices(Object.values(PARTS).flat()),
      )
      .addOption(
        new Option(
          '--pool <how>',
          `One vector per input instead of one per position; default none, ${BEST_POOL} with --format`,
        ).choices(POOLS),
      )
      .addOption(
        new Option('--format <layout>', 'Write a folder that clip-retrieval and autofaiss read').choices(FORMATS),
      )
      .addOption(
        new Option('--shard-size <n>', 'Vectors per file of such a folder')
          .argParser(positiveInteger)
          .default(DEFAULT_SHARD_SIZE),
      );
    addImageOptions(command);
    addModuleOption(command);
    command.addHelpText('after', EXAMPLES);
  },
  async run(command: Command, environment: Environment): Promise<ExitCode> {
    const options = command.opts<EmbedOptions>();
    const texts = [...new Set(options.text ?? [])];
    const kind: Kind = command.args.length === 0 ? 'texts' : texts.length === 0 ? 'images' : 'pairs';
    expectOutput(options);
    if (texts.some((text) => text.trim() === ''))
      throw new Blip2Error('INVALID_ARGUMENT', 'A text is empty', { where: '--text' });
    if (kind === 'texts' && texts.length === 0)
      throw new Blip2Error('INVALID_ARGUMENT', 'There is nothing to embed', {
        expected: 'images, or texts with --text',
      });
    const settings: Settings = {
      part: partOf(kind, options),
      pool: poolOf(kind, options),
      openOutput: openOutputOf(kind, options),
    };
    return kind === 'texts'
      ? runTexts(textTask(settings), texts, options, environment)
      : runImages(imageTask(settings, texts), command.args, options, environment);
  },
};

interface Settings {
  readonly part: EmbedPart;
  readonly pool: Pool;
  readonly openOutput: OpenOutput;
}

function expectOutput({ output, json, format }: EmbedOptions): void {
  if (format !== undefined && output === undefined)
    throw new Blip2Error('INVALID_ARGUMENT', 'The layout needs a folder', {
      where: '--format',
      fix: 'Name one with -o',
    });
  if (format !== undefined || isTensorFile(output) || isJsonLines(output) || /\.parquet$/i.test(output ?? '')) return;
  if (json === true && !/\.csv$/i.test(output ?? '')) return;
  throw new Blip2Error('INVALID_ARGUMENT', 'Embeddings need a place', {
    where: '--output',
    expected:
      'a file ending in .npy, .safetensors, .parquet or .jsonl, a folder with --format clip-retrieval, or --json',
    got: output ?? 'nothing',
  });
}

function partOf(kind: Kind, { part }: EmbedOptions): EmbedPart {
  const known = PARTS[kind];
  const [first] = known;
  if (part === undefined && first !== undefined) return first;
  if (part !== undefined && known.includes(part)) return part;
  throw new Blip2Error('INVALID_ARGUMENT', `This is not a part of ${kind === 'pairs' ? 'images with texts' : kind}`, {
    where: '--part',
    expected: known.join(', '),
    got: String(part),
  });
}

function poolOf(kind: Kind, { pool, format }: EmbedOptions): Pool {
  if (format === undefined) return pool ?? 'none';
  if (kind === 'pairs')
    throw new Blip2Error('INVALID_ARGUMENT', 'This layout holds images or texts, not pairs', {
      where: '--format',
      got: format,
    });
  if (pool === 'none')
    throw new Blip2Error('INVALID_ARGUMENT', 'This layout holds one vector for each input', {
      where: '--pool',
      got: pool,
    });
  return pool ?? BEST_POOL;
}

function openOutputOf(kind: Kind, { format, shardSize }: EmbedOptions): OpenOutput {
  const openTable = tableOutput(
    embedTable(kind === 'pairs' ? ['image', 'text'] : [kind === 'images' ? 'image' : 'text']),
  );
  return (request) => {
    const { output, resume } = request;
    if (format !== undefined && output !== undefined)
      return import('./clip-retrieval-folder.ts').then(({ openClipRetrievalFolder }) =>
        openClipRetrievalFolder(output, { kind: kind === 'texts' ? 'text' : 'img', shardSize }, resume),
      );
    return isTensorFile(output) ? openTensorFile(output, request) : openTable(request);
  };
}

function imageTask(
  { part, pool, openOutput }: Settings,
  texts: readonly string[],
): ImageTask<Embedding, EmbeddingModel> {
  const paired = texts.length > 0;
  return {
    command: 'embed',
    model: embeddingKind(part),
    parts: paired ? texts : [''],
    options: { part, pool },
    async perform(model, items, signal) {
      if (paired)
        return model.embedPairs(
          items.map(({ image, parts }) => ({ image, texts: parts })),
          { signal },
        );
      return (
        await model.embedImages(
          items.map(({ image }) => image),
          { signal },
        )
      ).map((embedding) => [embedding]);
    },
    toJson: (image, text, embedding) => ({
      image,
      ...(paired && { text }),
      ...embeddingJson(part, pooled(embedding, pool)),
    }),
    toColumns: () => [],
    partOf: ({ text }) => (typeof text === 'string' ? text : ''),
    openOutput,
  };
}

function textTask({ part, pool, openOutput }: Settings): TextTask<Embedding, EmbeddingModel> {
  return {
    command: 'embed',
    model: embeddingKind(part),
    options: { part, pool },
    perform: (model, texts, signal) => model.embedTexts(texts, { signal }),
    toJson: (text, embedding) => ({ text, ...embeddingJson(part, pooled(embedding, pool)) }),
    openOutput,
  };
}

/** `embedding` is nested as `shape` says. */
function embeddingJson(part: EmbedPart, { dims, data }: Embedding): Readonly<Record<string, unknown>> {
  const [rows, size] = dims;
  const embedding =
    rows === undefined || size === undefined
      ? [...data]
      : Array.from({ length: rows }, (_, row) => [...data.subarray(row * size, (row + 1) * size)]);
  return { part, shape: dims, embedding };
}

const EXAMPLES = `
Parts: of images vision (encoder), qformer (queries), projection (what the language model reads), image-proj (queries where images and texts are
compared, of length 1); of texts text (Q-Former), text-proj (one vector of length 1); of both multimodal (queries that read both). .npy holds one array,
.safetensors one tensor per input, named by it, .jsonl and .parquet { image or text, part, shape, embedding }.

One vector for many: BLIP-2 compares a text with every query of an image and takes the best; one vector loses some of that. On the demo checkpoint (200
images), captions find their image first in 99.5 % with every query, 88.2 % with unit-mean (the mean, scaled to length 1), 86.0 % max, 80.6 % mean,
60.2 % first; among the first five in 100 %, 100 %, 98.4 %, 99.5 %, 89.2 %.

Examples:
  blip2 embed photos/ -o photos.npy --pool mean
  blip2 embed -t "a dog" -t "a cat" -o texts.safetensors
  blip2 embed photos/ -r -o index/ --format clip-retrieval
  blip2 embed photo.jpg --part qformer -m ./blip2-opt-2.7b -o queries.jsonl
`;
