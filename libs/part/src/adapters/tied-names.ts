import type { WeightStore } from '@blip2/interfaces';

/** The token embeddings of a language model, which share their table with each other or with the head. */
export interface TiedEmbeddings {
  /** Names of modules below the path of the part that hold the token embedding. */
  readonly embeddings: readonly string[];
  /** Whether several of these modules use the same table. */
  readonly isShared?: boolean;
}

/** The head that may be tied to the token embedding. */
const HEAD = 'lm_head';

/** A tied pair of which the checkpoint stores one. */
export interface Ties {
  /** The stored module that an absent one is tied to. */
  standIn(module: string): string | undefined;
  isEmbedding(name: string): boolean;
  /** Names of absent weights that have to be listed, since only one of the pair is adapted. */
  separate(touched: readonly string[]): readonly string[];
}

/** The ties of a part whose names start with `start`. */
export function tiesOf(
  { store, tied }: { readonly store: WeightStore; readonly tied?: TiedEmbeddings },
  start: string,
): Ties {
  const has = (module: string): boolean => store.tensors.has(`${module}.weight`);
  const head = `${start}${HEAD}`;
  const embeddings = (tied?.embeddings ?? []).map((name) => `${start}${name}`);
  const embedding = embeddings.find(has);
  const pair =
    embedding !== undefined && !has(head)
      ? { absent: [head], stored: embedding }
      : embedding === undefined && embeddings.length > 0 && has(head)
        ? { absent: embeddings, stored: head }
        : undefined;
  const [absent] = pair?.absent ?? [];
  return {
    standIn: (module) => (pair?.absent.includes(module) ? pair.stored : undefined),
    isEmbedding: (name) => embeddings.some((each) => name === each || name === `${each}.weight`),
    separate: (touched) =>
      pair && absent !== undefined && touched.some((name) => [pair.stored, ...pair.absent].includes(name.slice(0, -7)))
        ? // The adapted name itself if it is the absent one.
          [touched.find((name) => pair.absent.includes(name.slice(0, -7))) ?? `${absent}.weight`]
        : [],
  };
}
