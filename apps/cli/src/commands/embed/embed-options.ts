import type { FeatureParts, InputsKind } from '@blip2/blip2';
import { Blip2Error, mustBe } from '@blip2/interfaces';

import type { FeaturePart } from '../../model/model-port.ts';
import { SOURCE_NAMES } from '../../model/model-source.ts';
import type { ImageOptions } from '../../options/common-options.ts';
import { isJsonLines, isTensorFile } from '../../output/output-path.ts';
import type { OpenOutput } from '../../output/output-request.ts';
import { tableOutput } from '../../tables/open-table.ts';
import { embedTable } from './embedding-json.ts';
import { BEST_POOL, type Pool } from './pool.ts';
import { openTensorFile } from './tensor-file.ts';

export interface EmbedOptions extends ImageOptions {
  readonly text?: readonly string[];
  readonly part?: FeaturePart;
  readonly layer?: number;
  readonly pool?: Pool;
  readonly format?: (typeof FORMATS)[number];
  readonly shardSize: number;
}

/** Layouts of folders with several files. */
export const FORMATS = ['clip-retrieval'] as const;

/** Kind of inputs; `pairs` are every image with every text. */
export type InputKind = 'images' | 'texts' | 'pairs';

/** Components with features for each kind of inputs, the default of the demo first. */
export const PARTS: Readonly<Record<InputKind, readonly FeaturePart[]>> = {
  images: ['image-proj', 'vision', 'qformer', 'projection', 'language'],
  texts: ['text-proj', 'text', 'language'],
  pairs: ['multimodal', 'qformer', 'projection', 'language'],
};

const KIND_NAMES: Readonly<Record<InputKind, string>> = {
  images: 'images',
  texts: 'texts',
  pairs: 'images with texts',
};

export interface EmbedSettings {
  readonly part: FeaturePart;
  readonly layer: number | undefined;
  readonly pool: Pool;
  readonly openOutput: OpenOutput;
}

/**
 * Resolves the options for a kind of inputs. `readParts` is called if a model and no component is given.
 * @throws Blip2Error `INVALID_ARGUMENT` for options that exclude each other, or without an output.
 */
export async function embedSettings(
  kind: InputKind,
  options: EmbedOptions,
  readParts: () => Promise<FeatureParts | undefined>,
): Promise<EmbedSettings> {
  expectOutput(options);
  const [pool, openOutput] = [poolOf(kind, options), openOutputOf(kind, options)];
  return { part: await partOf(kind, options, readParts), layer: options.layer, pool, openOutput };
}

function expectOutput({ output, json, format }: EmbedOptions): void {
  if (format !== undefined && output === undefined)
    throw new Blip2Error('INVALID_ARGUMENT', '--format needs a folder', { fix: 'Add -o FOLDER' });
  if (format !== undefined || isTensorFile(output) || isJsonLines(output) || /\.parquet$/i.test(output ?? '')) return;
  if (json === true && !/\.csv$/i.test(output ?? '')) return;
  const expected = 'a file ending in .npy, .safetensors, .parquet or .jsonl, or a folder with --format clip-retrieval';
  if (output !== undefined) throw mustBe('--output', expected, output);
  throw new Blip2Error('INVALID_ARGUMENT', 'embed needs --output or --json', { expected });
}

const KINDS: Readonly<Record<InputKind, InputsKind>> = { images: 'images', texts: 'text', pairs: 'both' };

/** The component of the options, or the first that the checkpoint has for the inputs. */
async function partOf(
  kind: InputKind,
  options: EmbedOptions,
  readParts: () => Promise<FeatureParts | undefined>,
): Promise<FeaturePart> {
  const known = PARTS[kind];
  const { part, model } = options;
  const isGiven = model !== undefined || SOURCE_NAMES.some((name) => options[name] !== undefined);
  const own = part === undefined && isGiven ? await readParts() : undefined;
  const first = own ? own[KINDS[kind]][0] : known[0];
  if (part === undefined && first !== undefined) return first;
  if (part === undefined)
    throw new Blip2Error('INVALID_ARGUMENT', `The model has no features of ${KIND_NAMES[kind]}`, {
      got: model ?? 'the demo',
    });
  if (part !== undefined && known.includes(part)) return part;
  throw mustBe('--part', `one of ${known.join(', ')} for ${KIND_NAMES[kind]}`, part);
}

function poolOf(kind: InputKind, { pool, format }: EmbedOptions): Pool {
  if (format === undefined) return pool ?? 'none';
  if (kind === 'pairs')
    throw new Blip2Error('INVALID_ARGUMENT', `--format ${format} holds either images or texts, not pairs of both`);
  if (pool === 'none') throw mustBe('--pool', `one vector per input with --format ${format}`, pool);
  return pool ?? BEST_POOL;
}

function openOutputOf(kind: InputKind, { format, shardSize }: EmbedOptions): OpenOutput {
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
