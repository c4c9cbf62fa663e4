import { openCheckpoint } from '@blip2/checkpoint';

/** Of one weight, scales of its block included: 4 bytes for 128 weights. A scale per output is too little to count. */
const SCALE = 4 / 128;
const BYTES = {
  float32: 4,
  bfloat16: 2,
  int8: 1,
  fp32: 4,
  q8: 1 + SCALE,
  q4: 0.5 + SCALE,
  fast: 0.5 + SCALE,
  small: 0.5 + SCALE,
};
/** The head is never below 8 bits in ours. */
const HEAD_BYTES = { ...BYTES, q4: BYTES.q8, fast: BYTES.q8, small: BYTES.q8 };
/**
 * Read once per caption: the encoder, and the keys and values of what it wrote. Looked up by the row: tables of words
 * and positions.
 */
const NOT_PER_TOKEN = /\.encoder\.|EncDecAttention\.[kv]\.|embed_positions|relative_attention_bias/;
const TABLE = /embed_tokens|shared/;
const HEAD = /lm_head\.weight$/;

/**
 * Bytes of the language model's weights that writing one token reads, the head included: what memory bandwidth bounds.
 */
export async function bytesPerToken(folder, setting) {
  const precision = setting.replace('+compile', '');
  const { tensors } = await openCheckpoint(folder);
  const language = [...tensors.values()].filter(
    ({ name, shape }) => name.startsWith('language_model.') && shape.length === 2 && !NOT_PER_TOKEN.test(name),
  );
  const heads = language.filter(({ name }) => HEAD.test(name));
  // Tied: the table of words is the head.
  const head = heads.length > 0 ? heads : language.filter(({ name }) => TABLE.test(name)).slice(0, 1);
  const others = language.filter(({ name }) => !HEAD.test(name) && !TABLE.test(name));
  const count = (all) => all.reduce((sum, { shape: [rows, columns] }) => sum + rows * columns, 0);
  return Math.round(count(others) * BYTES[precision] + count(head) * HEAD_BYTES[precision]);
}
