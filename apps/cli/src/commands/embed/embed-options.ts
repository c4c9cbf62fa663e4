import { Blip2Error, mustBe } from '@blip2/interfaces';

import type { FeaturePart } from '../../model/model-port.ts';
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
  readonly pool?: Pool;
  readonly format?: (typeof FORMATS)[number];
  readonly shardSize: number;
}

/** Layouts of folders with several files. */
export const FORMATS = ['clip-retrieval'] as const;

/** Kind of inputs; `pairs` are every image with every text. */
export type InputKind = 'images' | 'texts' | 'pairs';

/** Components with features for each kind of inputs, the default first. */
export const PARTS: Readonly<Record<InputKind, readonly FeaturePart[]>> = {
  images: ['image-proj', 'vision', 'qformer', 'projection'],
  texts: ['text-proj', 'text'],
  pairs: ['multimodal'],
};

export interface EmbedSettings {
  readonly part: FeaturePart;
  readonly pool: Pool;
  readonly openOutput: OpenOutput;
}

/**
 * Resolves the options for a kind of inputs.
 * @throws Blip2Error `INVALID_ARGUMENT` for options that exclude each other, or without an output.
 */
export function embedSettings(kind: InputKind, options: EmbedOptions): EmbedSettings {
  expectOutput(options);
  return { part: partOf(kind, options), pool: poolOf(kind, options), openOutput: openOutputOf(kind, options) };
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

function partOf(kind: InputKind, { part }: EmbedOptions): FeaturePart {
  const known = PARTS[kind];
  const [first] = known;
  if (part === undefined && first !== undefined) return first;
  if (part !== undefined && known.includes(part)) return part;
  throw mustBe('--part', `one of ${known.join(', ')} for ${kind === 'pairs' ? 'images with texts' : kind}`, part);
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
