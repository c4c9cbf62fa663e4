import { closeSync, existsSync, openSync, renameSync, writeSync } from 'node:fs';

import { mustBe } from '@blip2/interfaces';

import { shapeNamed } from './shapes.ts';

/** Sizes of a Llama. */
export interface LlamaShape {
  readonly hiddenSize: number;
  readonly layers: number;
  readonly heads: number;
  readonly ffnSize: number;
  readonly vocabularySize: number;
}

/** Rows of weights are multiples of the largest block. */
const BLOCK = 32;
const CONTEXT_LENGTH = 2048;
/** Tensors start at multiples of this many bytes, the default of the format. */
const ALIGNMENT = 32;
const VERSION = 3;

/** Types of the format: `ggml_type` and `gguf_type` of llama.cpp. */
const TYPES = {
  F32: { id: 0, weights: 1, bytes: 4 },
  Q4_0: { id: 2, weights: BLOCK, bytes: 2 + BLOCK / 2 },
  Q8_0: { id: 8, weights: BLOCK, bytes: 2 + BLOCK },
} as const;
const [UINT32, INT32, FLOAT32, STRING, ARRAY] = [4, 5, 6, 8, 9] as const;
/** A scale of 1/256 as float16, little-endian: weights of ordinary size. */
const SCALE = [0x00, 0x1c] as const;
/** Types of tokens: an ordinary one, the unknown one, one that stands for nothing in a text, and a byte. */
const [NORMAL, UNKNOWN, CONTROL, BYTE] = [1, 2, 3, 6] as const;
const [BOS, EOS] = [1, 2] as const;
/** llama.cpp expects a token for each byte. */
const FIRST_BYTE = 3;
const BYTES = 256;
/** Bytes that are written at once. */
const CHUNK = 1 << 22;

/**
 * `random-gguf.js SHAPE FILE`: writes a Llama in the GGUF format of llama.cpp with random 4-bit weights (Q4_0) and an
 * 8-bit head (Q8_0). It has the layers, the width and the vocabulary of the shape's language model, and as many weights
 * per layer as that reads for a token.
 */
export async function command([name = '', file]: readonly string[]): Promise<void> {
  if (file === undefined) throw mustBe('the second argument', 'a file', file);
  writeGguf(llamaShape(name), file);
}

/** The Llama of the size of a shape's language model. */
export function llamaShape(name: string): LlamaShape {
  const text = Object(shapeNamed(name).config['text_config']) as Readonly<Record<string, number>>;
  const size = (...names: readonly string[]): number => names.map((each) => text[each]).find(Number) ?? NaN;
  const hiddenSize = size('hidden_size', 'd_model');
  const ffn = size('ffn_dim', 'd_ff');
  // OPT: four square matrices and two of the feed-forward layer. T5: six, as the keys and values of the encoder are
  // computed once, and three. A Llama has four and three.
  const ffnSize = text['d_model'] === undefined ? (2 * ffn) / 3 : ffn + (2 * hiddenSize) / 3;
  return {
    hiddenSize,
    layers: size('num_hidden_layers', 'num_layers'),
    heads: size('num_attention_heads', 'num_heads'),
    ffnSize: Math.max(1, Math.round(ffnSize / BLOCK)) * BLOCK,
    vocabularySize: size('vocab_size'),
  };
}

interface GgufTensor {
  readonly name: string;
  /** The innermost dimension first. */
  readonly dims: readonly number[];
  readonly type: (typeof TYPES)[keyof typeof TYPES];
}

/** Writes the file unless it exists. It has its name once it is complete. */
export function writeGguf(shape: LlamaShape, file: string): void {
  if (existsSync(file)) return;
  const tensors = tensorsOf(shape);
  const header = headerOf(shape, tensors);
  const target = openSync(`${file}.part`, 'w');
  try {
    writeSync(target, header);
    for (const tensor of tensors) writeTensor(target, tensor);
  } finally {
    closeSync(target);
  }
  renameSync(`${file}.part`, file);
}

/** Bytes of weights that one token reads: everything but the token embedding. */
export function readBytesOf(shape: LlamaShape): number {
  const [embedding, ...read] = tensorsOf(shape);
  return embedding ? read.reduce((sum, tensor) => sum + bytesOf(tensor), 0) : 0;
}

function tensorsOf({ hiddenSize, layers, ffnSize, vocabularySize }: LlamaShape): readonly GgufTensor[] {
  const { F32, Q4_0, Q8_0 } = TYPES;
  const tensors: GgufTensor[] = [
    { name: 'token_embd.weight', dims: [hiddenSize, vocabularySize], type: Q4_0 },
    { name: 'output.weight', dims: [hiddenSize, vocabularySize], type: Q8_0 },
    { name: 'output_norm.weight', dims: [hiddenSize], type: F32 },
  ];
  for (let layer = 0; layer < layers; layer++) {
    const add = (name: string, dims: readonly number[], type: GgufTensor['type'] = Q4_0): void =>
      void tensors.push({ name: `blk.${layer}.${name}.weight`, dims, type });
    for (const norm of ['attn_norm', 'ffn_norm']) add(norm, [hiddenSize], F32);
    for (const square of ['attn_q', 'attn_k', 'attn_v', 'attn_output']) add(square, [hiddenSize, hiddenSize]);
    for (const wide of ['ffn_gate', 'ffn_up']) add(wide, [hiddenSize, ffnSize]);
    add('ffn_down', [ffnSize, hiddenSize]);
  }
  return tensors;
}

function bytesOf({ dims, type }: GgufTensor): number {
  return (dims.reduce((product, dim) => product * dim, 1) / type.weights) * type.bytes;
}

function aligned(bytes: number): number {
  return Math.ceil(bytes / ALIGNMENT) * ALIGNMENT;
}

function headerOf(shape: LlamaShape, tensors: readonly GgufTensor[]): Buffer {
  const { hiddenSize, layers, heads, ffnSize, vocabularySize } = shape;
  const vocabulary = Array.from({ length: vocabularySize }, (_, id) => id);
  const values: readonly (readonly [key: string, value: Buffer])[] = [
    ['general.architecture', typed(STRING, text('llama'))],
    ['llama.context_length', typed(UINT32, uint32(CONTEXT_LENGTH))],
    ['llama.embedding_length', typed(UINT32, uint32(hiddenSize))],
    ['llama.block_count', typed(UINT32, uint32(layers))],
    ['llama.feed_forward_length', typed(UINT32, uint32(ffnSize))],
    ['llama.attention.head_count', typed(UINT32, uint32(heads))],
    ['llama.attention.head_count_kv', typed(UINT32, uint32(heads))],
    ['llama.rope.dimension_count', typed(UINT32, uint32(hiddenSize / heads))],
    ['llama.attention.layer_norm_rms_epsilon', typed(FLOAT32, float32(1e-5))],
    ['llama.vocab_size', typed(UINT32, uint32(vocabularySize))],
    ['tokenizer.ggml.model', typed(STRING, text('llama'))],
    [
      'tokenizer.ggml.tokens',
      array(
        STRING,
        vocabulary.map((id) => text(tokenText(id))),
      ),
    ],
    [
      'tokenizer.ggml.scores',
      array(
        FLOAT32,
        vocabulary.map((id) => float32(-id)),
      ),
    ],
    [
      'tokenizer.ggml.token_type',
      array(
        INT32,
        vocabulary.map((id) => uint32(tokenType(id))),
      ),
    ],
    ['tokenizer.ggml.bos_token_id', typed(UINT32, uint32(BOS))],
    ['tokenizer.ggml.eos_token_id', typed(UINT32, uint32(EOS))],
  ];
  let offset = 0;
  const infos = tensors.flatMap((tensor) => {
    const { name, dims, type } = tensor;
    const start = offset;
    offset += aligned(bytesOf(tensor));
    return [text(name), uint32(dims.length), ...dims.map(uint64), uint32(type.id), uint64(start)];
  });
  const header = Buffer.concat([
    Buffer.from('GGUF'),
    uint32(VERSION),
    uint64(tensors.length),
    uint64(values.length),
    ...values.flatMap(([key, value]) => [text(key), value]),
    ...infos,
  ]);
  return Buffer.concat([header, Buffer.alloc(aligned(header.length) - header.length)]);
}

function tokenText(id: number): string {
  if (tokenType(id) !== BYTE) return `<t${id}>`;
  return `<0x${(id - FIRST_BYTE).toString(16).toUpperCase().padStart(2, '0')}>`;
}

function tokenType(id: number): number {
  if (id < FIRST_BYTE) return id === 0 ? UNKNOWN : CONTROL;
  return id < FIRST_BYTE + BYTES ? BYTE : NORMAL;
}

function writeTensor(target: number, tensor: GgufTensor): void {
  const { type } = tensor;
  const total = aligned(bytesOf(tensor));
  const chunk = Buffer.alloc(Math.min(total, Math.floor(CHUNK / type.bytes) * type.bytes));
  if (type === TYPES.F32) for (let at = 0; at + type.bytes <= chunk.length; at += type.bytes) chunk.writeFloatLE(1, at);
  else fillBlocks(chunk, type.bytes);
  // Later chunks repeat the first: the time of a product does not depend on the weights.
  for (let left = total; left > 0; left -= chunk.length) writeSync(target, chunk, 0, Math.min(left, chunk.length));
}

/** Blocks of random weights, each after its scale. */
function fillBlocks(chunk: Buffer, blockBytes: number): void {
  let state = 12345;
  for (let at = 0; at < chunk.length; at++) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    chunk[at] = SCALE[at % blockBytes] ?? state >>> 24;
  }
}

function typed(type: number, value: Buffer): Buffer {
  return Buffer.concat([uint32(type), value]);
}

function array(type: number, values: readonly Buffer[]): Buffer {
  return typed(ARRAY, Buffer.concat([uint32(type), uint64(values.length), ...values]));
}

function text(value: string): Buffer {
  const bytes = Buffer.from(value);
  return Buffer.concat([uint64(bytes.length), bytes]);
}

function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value);
  return bytes;
}

function uint64(value: number): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64LE(BigInt(value));
  return bytes;
}

function float32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeFloatLE(value);
  return bytes;
}
