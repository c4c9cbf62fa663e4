import { existsSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';

import { openCheckpoint } from '@blip2/checkpoint';
import { Blip2Error, f32, i64, mustBe, type OnnxModel, type Signature } from '@blip2/interfaces';
import { expectFileValue, expectKnownInputs, readOnnxFile } from '@blip2/part';

import { buildTokenEmbedding } from '../token-embedding-graph.ts';

/** A token embedding in a checkpoint. */
export interface EmbeddingMatrix {
  /** Folder of a checkpoint in safetensors. */
  readonly folder: string;
  /** Name of the tensor, `[vocabulary, embeddingSize]`: `model.embed_tokens.weight`. */
  readonly tensor: string;
  /** Factor of the embeddings. Default 1; Gemma's is the square root of the width. */
  readonly scale?: number;
}

/** Where the token embedding of a language model is: an `.onnx` file, or a matrix in a checkpoint. */
export type EmbedTokens = string | EmbeddingMatrix;

/** The graph of a token embedding, with the size that it states. */
export interface FileEmbedding {
  readonly model: OnnxModel;
  readonly input: string;
  readonly output: string;
  readonly embeddingSize: number | undefined;
  /** Number of rows, if it is known. */
  readonly vocabularySize: number | undefined;
}

const EMBED_TOKENS = 'embed_tokens';
const WEIGHT = '.weight';

/**
 * Opens a token embedding. Default: `embed_tokens.onnx` next to the decoder, with the ending of its name (`_q4`) if
 * there is such a file.
 * @throws Blip2Error `MISSING_FILE`, `MISSING_WEIGHT`, `SHAPE_MISMATCH`, `UNSUPPORTED_ARCHITECTURE`.
 */
export async function openEmbedding(given: EmbedTokens | undefined, decoder: string): Promise<FileEmbedding> {
  if (given === undefined) return embeddingFile(defaultFile(decoder));
  if (typeof given === 'string') return embeddingFile(given);
  if (
    typeof given !== 'object' ||
    given === null ||
    typeof given.folder !== 'string' ||
    typeof given.tensor !== 'string'
  )
    throw mustBe('embedTokens', 'the path of an .onnx file, or { folder, tensor }', given);
  return embeddingMatrix(given);
}

function defaultFile(decoder: string): string {
  const ending = /_[a-z0-9]+\.onnx$/.exec(basename(decoder))?.[0] ?? '.onnx';
  const candidates = [ending, '.onnx'].map((end) => join(dirname(decoder), `${EMBED_TOKENS}${end}`));
  const found = candidates.find((file) => existsSync(file));
  if (found !== undefined) return found;
  throw new Blip2Error('MISSING_FILE', 'There is no token embedding next to the decoder', {
    argument: 'embedTokens',
    where: candidates.at(-1) ?? decoder,
    fix: 'Pass embedTokens: an .onnx file, or { folder, tensor } for a matrix in a checkpoint',
  });
}

async function embeddingFile(file: string): Promise<FileEmbedding> {
  const onnx = await readOnnxFile(file);
  expectKnownInputs(onnx, (name) => name === 'input_ids', 'input_ids');
  expectFileValue(onnx, 'inputs', 'input_ids', i64('batch', 'sequence'));
  const { outputs } = onnx.model.signature;
  const output = Object.hasOwn(outputs, 'inputs_embeds') ? 'inputs_embeds' : (Object.keys(outputs)[0] ?? '');
  const { axes } = expectFileValue(onnx, 'outputs', output, f32('batch', 'sequence', 'embeddingSize'));
  const embeddingSize = typeof axes[2] === 'number' ? axes[2] : undefined;
  return { model: onnx.model, input: 'input_ids', output, embeddingSize, vocabularySize: undefined };
}

async function embeddingMatrix({ folder, tensor, scale = 1 }: EmbeddingMatrix): Promise<FileEmbedding> {
  if (!Number.isFinite(scale)) throw mustBe('embedTokens.scale', 'a number', scale);
  const store = await openCheckpoint(folder);
  const stored = store.tensors.get(tensor);
  if (!stored || !tensor.endsWith(WEIGHT))
    throw new Blip2Error('MISSING_WEIGHT', `The checkpoint has no matrix ${tensor}`, {
      argument: 'embedTokens.tensor',
      where: folder,
      expected: [...store.tensors.keys()].filter((name) => /embed|wte|shared/.test(name)).join(', ') || 'another name',
    });
  const [vocabularySize = 0, embeddingSize = 0, ...rest] = stored.shape;
  if (stored.shape.length !== 2 || rest.length > 0)
    throw new Blip2Error('SHAPE_MISMATCH', `The tensor ${tensor} must be a matrix`, {
      where: folder,
      expected: '[vocabulary, embeddingSize]',
      got: `[${stored.shape.join(', ')}]`,
    });
  const model: OnnxModel<Signature> = buildTokenEmbedding(
    {
      name: EMBED_TOKENS,
      vocabSize: vocabularySize,
      embeddingSize,
      factor: scale,
      table: (root) => root.at(tensor.slice(0, -WEIGHT.length)),
    },
    store,
    '',
  );
  return { model, input: 'input_ids', output: 'inputs_embeds', embeddingSize, vocabularySize };
}
