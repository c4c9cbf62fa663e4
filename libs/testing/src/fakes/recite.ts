import type { Decoding, Logits, TokenIds } from '@blip2/interfaces';

/** Creates a decoding whose most likely tokens are those of `script`, one row per sequence, whatever its input. */
export function recite(script: readonly TokenIds[], vocabulary: number, position = 0): Decoding {
  let step = position;
  let rows = script;
  const logitsOf = (positions = 1): Logits => {
    const data = new Float32Array(rows.length * positions * vocabulary);
    rows.forEach((row, index) => {
      for (let offset = 0; offset < positions; offset++)
        data[(index * positions + offset) * vocabulary + (row[step - positions + 1 + offset] ?? 0)] = 1;
    });
    return { type: 'float32', dims: [rows.length, positions, vocabulary], data };
  };
  return {
    get length() {
      return step;
    },
    get logits() {
      return logitsOf();
    },
    async extend(more) {
      const added = 'ids' in more ? (more.ids[0]?.length ?? 0) : more.inputsEmbeds.dims[1];
      rows = more.parents?.map((parent) => rows[parent] ?? []) ?? rows;
      step += added;
      return logitsOf(more.logits === 'all' ? added : 1);
    },
    fork: async () => recite(rows, vocabulary, step),
    async crop(length) {
      step = length;
    },
    async [Symbol.asyncDispose]() {},
  };
}
