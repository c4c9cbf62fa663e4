import { Blip2Error } from '@blip2/interfaces';
import { Option, type Command } from 'commander';
import type { CliCommand } from '../command.ts';
import { POOLS, pooled, type Pool } from '../embed/pool.ts';
import type { Environment } from '../environment.ts';
import type { ExitCode } from '../exit-code.ts';
import type { Embedding, EmbeddingModel, EmbedPart } from '../model/model-port.ts';
import { embeddingKind } from '../model/open-model.ts';
import { repeated } from '../options/argument-parsers.ts';
import { addImageOptions, type ImageOptions } from '../options/common-options.ts';
import { isJsonLines } from '../output/open-sink.ts';
import type { OpenOutput } from '../output/output-request.ts';
import { isTensorFile, openTensorFile } from '../output/tensor-file.ts';
import type { ImageTask } from '../run/image-task.ts';
import { runImages } from '../run/run-images.ts';
import { runTexts, type TextTask } from '../run/run-texts.ts';

interface EmbedOptions extends ImageOptions {
  readonly text?: readonly string[];
  readonly part?: EmbedPart;
  readonly pool: Pool;
}

/** What each kind of input has, the default first. */
const PARTS: Readonly<Record<'images' | 'texts' | 'pairs', readonly EmbedPart[]>> = {
  images: ['image-proj', 'vision', 'qformer', 'projection'],
  texts: ['text-proj', 'text'],
  pairs: ['multimodal'],
};

/** `blip2 embed (IMAGE… | -t TEXT…) -o FILE`: features of one part. */
export const embedCommand: CliCommand = {
  name: 'embed',
  configure(command) {
    command
      .description('Write features of pictures, of texts, or of every picture with every text.')
      .argument('[image...]', 'File, "glob", folder, URL, @list.txt, @list.jsonl, or - for stdin')
      .option('-t, --text <text>', 'Text to embed; may be repeated', repeated)
      .addOption(new Option('--part <part>', 'Where to take them; default image-proj of pictures, text-proj of texts, multimodal of both').choices(Object.values(PARTS).flat()))
      .addOption(new Option('--pool <how>', 'One vector per input instead of one per position').choices(POOLS).default('none'));
    addImageOptions(command);
    command.addHelpText('after', EXAMPLES);
  },
  async run(command: Command, environment: Environment): Promise<ExitCode> {
    const options = command.opts<EmbedOptions>();
    const texts = [...new Set(options.text ?? [])];
    const kind = command.args.length === 0 ? 'texts' : texts.length === 0 ? 'images' : 'pairs';
    expectOutput(options);
    if (kind === 'texts' && texts.length === 0) throw new Blip2Error('INVALID_ARGUMENT', 'There is nothing to embed', { expected: 'images, or texts with --text' });
    const part = partOf(kind, options);
    return kind === 'texts' ? runTexts(textTask(part, options), texts, options, environment) : runImages(imageTask(part, texts, options), command.args, options, environment);
  },
};

function expectOutput({ output, json }: EmbedOptions): void {
  if (json === true || isTensorFile(output) || isJsonLines(output)) return;
  throw new Blip2Error('INVALID_ARGUMENT', 'Embeddings need a place', { where: '--output', expected: 'a file ending in .npy, .safetensors or .jsonl, or --json', got: output ?? 'nothing' });
}

function partOf(kind: keyof typeof PARTS, { part }: EmbedOptions): EmbedPart {
  const known = PARTS[kind];
  const [first] = known;
  if (part === undefined && first !== undefined) return first;
  if (part !== undefined && known.includes(part)) return part;
  throw new Blip2Error('INVALID_ARGUMENT', `This is not a part of ${kind === 'pairs' ? 'pictures with texts' : kind}`, { where: '--part', expected: known.join(', '), got: String(part) });
}

function imageTask(part: EmbedPart, texts: readonly string[], { pool }: EmbedOptions): ImageTask<Embedding, EmbeddingModel> {
  const paired = texts.length > 0;
  return {
    command: 'embed',
    model: embeddingKind(part),
    parts: paired ? texts : [''],
    options: { part, pool },
    async perform(model, items, signal) {
      if (paired) return model.embedPairs(items.map(({ image, parts }) => ({ image, texts: parts })), { signal });
      return (await model.embedImages(items.map(({ image }) => image), { signal })).map((embedding) => [embedding]);
    },
    toJson: (image, text, embedding) => ({ image, ...(paired && { text }), ...embeddingJson(part, pooled(embedding, pool)) }),
    toColumns: () => [],
    partOf: ({ text }) => (typeof text === 'string' ? text : ''),
    openOutput,
  };
}

function textTask(part: EmbedPart, { pool }: EmbedOptions): TextTask<Embedding, EmbeddingModel> {
  return {
    command: 'embed',
    model: embeddingKind(part),
    options: { part, pool },
    perform: (model, texts, signal) => model.embedTexts(texts, { signal }),
    toJson: (text, embedding) => ({ text, ...embeddingJson(part, pooled(embedding, pool)) }),
    openOutput,
  };
}

const openOutput: OpenOutput = ({ output }) => (isTensorFile(output) ? openTensorFile(output) : undefined);

/** `embedding` is nested as `shape` says. */
function embeddingJson(part: EmbedPart, { dims, data }: Embedding): Readonly<Record<string, unknown>> {
  const [rows, size] = dims;
  const embedding = rows === undefined || size === undefined ? [...data] : Array.from({ length: rows }, (_, row) => [...data.subarray(row * size, (row + 1) * size)]);
  return { part, shape: dims, embedding };
}

const EXAMPLES = `
Parts: of pictures vision (encoder), qformer (queries), projection (what the language model reads), image-proj (queries where pictures and texts are
compared, of length 1); of texts text (Q-Former), text-proj (one vector of length 1); of both multimodal (queries that read both). .npy holds one array,
.safetensors one tensor per input, named by it, .jsonl { image or text, part, shape, embedding }.

Examples:
  blip2 embed photos/ -o photos.npy --pool mean
  blip2 embed -t "a dog" -t "a cat" -o texts.safetensors
  blip2 embed photo.jpg --part qformer -m ./blip2-opt-2.7b -o queries.jsonl
`;
