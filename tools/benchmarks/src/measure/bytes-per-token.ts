import { openCheckpoint } from '@blip2/checkpoint';
import type { StoredTensor } from '@blip2/interfaces';

/** Bytes of a block's scale per weight: 4 bytes for 128 weights. One scale per output is negligible. */
const SCALE_BYTES = 4 / 128;
/** Bytes per weight of a linear layer by setting. */
const WEIGHT_BYTES: Readonly<Record<string, number>> = {
  float32: 4,
  bfloat16: 2,
  int8: 1,
  fp32: 4,
  q8: 1 + SCALE_BYTES,
  q4: 0.5 + SCALE_BYTES,
  fast: 0.5 + SCALE_BYTES,
  small: 0.5 + SCALE_BYTES,
};
/** Settings whose head has more bits: it never has fewer than 8 here. */
const HEAD_BYTES: Readonly<Record<string, number>> = {
  q4: 1 + SCALE_BYTES,
  fast: 1 + SCALE_BYTES,
  small: 1 + SCALE_BYTES,
};
/**
 * Weights that are read once per caption (the encoder, and the keys and values of its output) or by row (position
 * embeddings).
 */
const NOT_PER_TOKEN = /\.encoder\.|EncDecAttention\.[kv]\.|embed_positions|relative_attention_bias/;
const TOKEN_EMBEDDING = /embed_tokens|shared/;
const HEAD = /lm_head\.weight$/;

/** Bytes of the language model's weights that are read for each token, head included. Memory bandwidth limits this. */
export async function bytesPerToken(folder: string, setting: string): Promise<number> {
  const precision = setting.replace('+compile', '');
  const { tensors } = await openCheckpoint(folder);
  const language = [...tensors.values()].filter(
    ({ name, shape }) => name.startsWith('language_model.') && shape.length === 2 && !NOT_PER_TOKEN.test(name),
  );
  const heads = language.filter(({ name }) => HEAD.test(name));
  // A tied head is the token embedding.
  const head = heads.length > 0 ? heads : language.filter(({ name }) => TOKEN_EMBEDDING.test(name)).slice(0, 1);
  const others = language.filter(({ name }) => !HEAD.test(name) && !TOKEN_EMBEDDING.test(name));
  const weightBytes = WEIGHT_BYTES[precision] ?? NaN;
  return Math.round(elements(others) * weightBytes + elements(head) * (HEAD_BYTES[precision] ?? weightBytes));
}

function elements(tensors: readonly StoredTensor[]): number {
  return tensors.reduce((sum, { shape }) => sum + shape.reduce((product, size) => product * size, 1), 0);
}
