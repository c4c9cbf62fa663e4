import { Blip2Error, mustBe } from '@blip2/interfaces';

/** Similarities of images and texts. */
export interface Similarities {
  /** `[images, texts]`: row by row, a larger number for a better match. */
  readonly data: ArrayLike<number>;
  readonly dims: readonly number[];
}

/** Options of `recall`. */
export interface RecallOptions {
  /** The image of each text, from 0. Default: text `i` belongs to image `i`. */
  readonly imageOfText?: readonly number[];
  /** How many of the best are looked at, default 1, 5 and 10. */
  readonly k?: readonly number[];
}

/** Recall at each `k`, in [0, 1]. */
export interface Recall {
  /** Share of the images with a text of theirs among the best `k` texts, by `k`. */
  readonly imageToText: Readonly<Record<number, number>>;
  /** Share of the texts with their image among the best `k` images, by `k`. */
  readonly textToImage: Readonly<Record<number, number>>;
}

const DEFAULT_K: readonly number[] = [1, 5, 10];

/**
 * Recall at `k` of retrieval in both directions, as BLIP and LAVIS report it (there as `txt_r1`, `img_r1` in percent).
 * An item with the similarity of the right one counts as better, so that a model that finds everything alike has the
 * recall of chance or less, not 1.
 * @throws Blip2Error `INVALID_ARGUMENT` for dims, `k` or `imageOfText` that do not fit, and images without a text;
 * `NOT_FINITE` for similarities that are not numbers.
 */
export function recall(
  similarities: Similarities,
  { imageOfText, k: cutoffs = DEFAULT_K }: RecallOptions = {},
): Recall {
  const { data, dims } = similarities;
  const [images, texts] = expectDims(dims, data.length);
  const owners = imageOfText ?? Array.from({ length: texts }, (_, text) => text);
  expectOwners(owners, images, texts, imageOfText === undefined);
  expectCutoffs(cutoffs);
  for (let at = 0; at < data.length; at++) {
    if (Number.isFinite(data[at])) continue;
    throw new Blip2Error('NOT_FINITE', 'A similarity is not a finite number', {
      where: `image ${Math.floor(at / texts)}, text ${at % texts}`,
      got: String(data[at]),
    });
  }
  const at = (image: number, text: number): number => data[image * texts + text]!;
  const imageRanks = Array.from({ length: images }, (_, image) => {
    const own = owners.flatMap((owner, text) => (owner === image ? [at(image, text)] : []));
    const best = own.reduce((most, value) => Math.max(most, value));
    return countWhere(texts, (text) => owners[text] !== image && at(image, text) >= best);
  });
  const textRanks = owners.map((owner, text) =>
    countWhere(images, (image) => image !== owner && at(image, text) >= at(owner, text)),
  );
  return { imageToText: shares(imageRanks, cutoffs), textToImage: shares(textRanks, cutoffs) };
}

function countWhere(length: number, isCounted: (index: number) => boolean): number {
  let count = 0;
  for (let index = 0; index < length; index++) if (isCounted(index)) count++;
  return count;
}

/** Share of the ranks below each cutoff. */
function shares(ranks: readonly number[], cutoffs: readonly number[]): Readonly<Record<number, number>> {
  return Object.fromEntries(cutoffs.map((k) => [k, ranks.filter((rank) => rank < k).length / ranks.length]));
}

function expectDims(dims: readonly number[], length: number): [number, number] {
  const [images, texts] = dims;
  const isFitting = dims.length === 2 && images! > 0 && texts! > 0 && images! * texts! === length;
  if (!isFitting) {
    throw mustBe(
      'similarities',
      `of dims [images, texts], both at least 1, for its ${length} values`,
      `[${dims.join(', ')}]`,
    );
  }
  return [images!, texts!];
}

function expectOwners(owners: readonly number[], images: number, texts: number, isDefault: boolean): void {
  if (isDefault && images !== texts) {
    throw mustBe('imageOfText', `given if images (${images}) and texts (${texts}) are not pairs`, undefined);
  }
  if (owners.length !== texts) {
    throw mustBe('imageOfText', `a list with an image for each of the ${texts} texts`, `${owners.length} of them`);
  }
  const known = new Set<number>();
  for (const [text, owner] of owners.entries()) {
    if (!(Number.isInteger(owner) && owner >= 0 && owner < images)) {
      throw mustBe(`imageOfText[${text}]`, `an integer from 0 to ${images - 1}`, owner);
    }
    known.add(owner);
  }
  const missing = Array.from({ length: images }, (_, image) => image).find((image) => !known.has(image));
  if (missing !== undefined)
    throw mustBe('imageOfText', 'a list in which each image has a text', `none of image ${missing}`);
}

function expectCutoffs(cutoffs: readonly number[]): void {
  if (cutoffs.length === 0) throw mustBe('k', 'a list of at least one number', cutoffs);
  for (const k of cutoffs) {
    if (!(Number.isInteger(k) && k >= 1)) throw mustBe('k', 'a list of integers of at least 1', k);
  }
}
