import { createHash } from 'node:crypto';

import type { ServedRepository } from '@blip2/testing';

export const MODEL_ID = 'someone/tiny-blip2';

/** Bytes that look random and are always the same. */
export function noise(size: number, seed: string): Uint8Array {
  const blocks = Array.from({ length: Math.ceil(size / 32) }, (_, index) =>
    createHash('sha256').update(`${seed} ${index}`).digest(),
  );
  return Buffer.concat(blocks).subarray(0, size);
}

/**
 * A repository as the checkpoints of the field have it: shards, an index, pickled weights beside, a second tokenizer.
 */
export function tinyRepository(weightBytes: number = 300_000): ServedRepository {
  const shards = ['model-00001-of-00002.safetensors', 'model-00002-of-00002.safetensors'] as const;
  return {
    licence: 'mit',
    files: {
      '.gitattributes': '*.safetensors filter=lfs\n',
      'README.md': '---\nlicense: mit\n---\n# Tiny\n',
      'config.json': '{"model_type":"blip-2"}',
      'generation_config.json': '{}',
      'preprocessor_config.json': '{"size":224}',
      'processor_config.json': '{"num_query_tokens":32}',
      'tokenizer.json': noise(5000, 'tokenizer'),
      'tokenizer_config.json': '{"model_max_length":512}',
      'qformer_tokenizer/tokenizer.json': noise(4000, 'qformer'),
      'qformer_tokenizer/vocab.txt': '[PAD]\n[UNK]\n',
      'model.safetensors.index.json': JSON.stringify({ metadata: {}, weight_map: { a: shards[0], b: shards[1] } }),
      [shards[0]]: noise(weightBytes, 'first shard'),
      [shards[1]]: noise(weightBytes / 2, 'second shard'),
      'pytorch_model-00001-of-00001.bin': noise(50_000, 'pickled'),
      'model.fp16.safetensors': noise(50_000, 'variant'),
      'onnx/model.safetensors': noise(50_000, 'elsewhere'),
    },
  };
}

/** What is needed of `tinyRepository`. */
export const NEEDED_PATHS: readonly string[] = [
  'config.json',
  'generation_config.json',
  'model-00001-of-00002.safetensors',
  'model-00002-of-00002.safetensors',
  'model.safetensors.index.json',
  'preprocessor_config.json',
  'processor_config.json',
  'qformer_tokenizer/tokenizer.json',
  'qformer_tokenizer/vocab.txt',
  'tokenizer.json',
  'tokenizer_config.json',
];
