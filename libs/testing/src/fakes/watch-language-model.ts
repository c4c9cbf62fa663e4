import type { Decoding, LanguageModel } from '@blip2/interfaces';

/** One forward pass of a language model: a prefill or an extension. */
export interface WatchedRead {
  readonly rows: number;
  /** Number of positions per row. */
  readonly positions: number;
}

/** Wraps a language model; `onRead` is called for each forward pass, so that tests can count what a cache saves. */
export function watchLanguageModel(model: LanguageModel, onRead: (read: WatchedRead) => void): LanguageModel {
  const originals = new WeakMap<Decoding, Decoding>();
  const watch = (decoding: Decoding): Decoding => {
    const { append } = decoding;
    const watched: Decoding = {
      get length() {
        return decoding.length;
      },
      get logits() {
        return decoding.logits;
      },
      extend(more) {
        const [rows, positions] = 'ids' in more ? [more.ids.length, more.ids[0]?.length ?? 0] : more.inputsEmbeds.dims;
        onRead({ rows, positions });
        return decoding.extend(more);
      },
      fork: async (rows) => watch(await decoding.fork(rows)),
      crop: (length) => decoding.crop(length),
      ...(append && {
        append: (other: Decoding, rows?: readonly number[]) =>
          append.call(decoding, originals.get(other) ?? other, rows),
      }),
      [Symbol.asyncDispose]: () => decoding[Symbol.asyncDispose](),
    };
    originals.set(watched, decoding);
    return watched;
  };
  const { architecture, embeddingSize, vocabularySize, maxPositions, specialTokens } = model;
  return {
    architecture,
    embeddingSize,
    vocabularySize,
    maxPositions,
    specialTokens,
    embed: (ids) => model.embed(ids),
    async start(prompt) {
      const [rows, positions] = prompt.inputsEmbeds.dims;
      onRead({ rows, positions });
      return watch(await model.start(prompt));
    },
    [Symbol.asyncDispose]: () => model[Symbol.asyncDispose](),
  };
}
