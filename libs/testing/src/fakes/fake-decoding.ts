import { Blip2Error, type Decoding, type Extension, type Logits } from '@blip2/interfaces';

/** History of one row of a fake decoding: the embedding of each position, `undefined` for padding. */
export type FakeHistory = readonly (Float32Array | undefined)[];
/** Computes the logits after the last position of a row. */
export type FakeScore = (history: FakeHistory) => ArrayLike<number>;

/** Options of `fakeDecoding`. */
export interface FakeDecodingOptions {
  readonly vocabularySize: number;
  readonly maxPositions: number;
  /** Embedding of a token id. */
  readonly embed: (id: number) => Float32Array;
  readonly rows: readonly { readonly history: FakeHistory; readonly score: FakeScore }[];
  /** Start without logits, as after a crop. */
  readonly isCropped?: boolean;
  /** Rows have been appended, so that padding at the start of all rows does not count. */
  readonly isJoined?: boolean;
}

type State = FakeDecodingOptions['rows'];

/** What each fake decoding holds. */
const STATES = new WeakMap<Decoding, () => State>();

/** Creates a decoding without a cache, which computes logits from the whole history: slow, but evidently correct. */
export function fakeDecoding(options: FakeDecodingOptions): Decoding {
  let rows: State = options.rows;
  let isDisposed = false;
  let isCropped = options.isCropped ?? false;
  let isJoined = options.isJoined ?? false;
  const length = (): number => rows[0]?.history.length ?? 0;
  const requireAlive = (): void => {
    if (isDisposed) throw new Blip2Error('DISPOSED', 'This decoding has been disposed of');
  };
  requireRoom(length(), options.maxPositions);
  const logitsOf = (positions: number): Logits => computeLogits(rows, positions, options.vocabularySize);
  const pick = (from: State, picked: readonly number[]): State =>
    picked.map((row) => {
      const state = from[row];
      if (state) return state;
      throw new Blip2Error('INVALID_ARGUMENT', 'rows must be rows of the decoding', {
        argument: 'rows',
        expected: `0 to ${from.length - 1}`,
        got: String(row),
      });
    });
  const decoding: Decoding = {
    get length() {
      return length();
    },
    get logits() {
      requireAlive();
      if (isCropped) throw new Blip2Error('INVALID_STATE', 'A cropped decoding has no logits until it is extended');
      return logitsOf(1);
    },
    async extend(more) {
      requireAlive();
      const parents = more.parents ?? rows.map((_, row) => row);
      const added = addedVectors(more, options.embed);
      checkExtension(parents, added, rows.length);
      const count = added[0]?.length ?? 0;
      const isKept = (row: number, position: number): boolean => more.attentionMask?.[row]?.[position] !== 0;
      const extended = added.flatMap((vectors, row) => {
        const parent = rows[parents[row] ?? row];
        if (!parent) return [];
        const kept = vectors.map((vector, position) => (isKept(row, position) ? vector : undefined));
        return [{ ...parent, history: [...parent.history, ...kept] }];
      });
      const next = isJoined ? aligned(extended) : extended;
      requireRoom(next[0]?.history.length ?? 0, options.maxPositions);
      rows = next;
      isCropped = false;
      return logitsOf(more.logits === 'all' ? count : 1);
    },
    async fork(picked) {
      requireAlive();
      const forked = picked ? pick(rows, picked) : rows;
      return fakeDecoding({ ...options, rows: isJoined ? aligned(forked) : forked, isCropped, isJoined });
    },
    async append(other, picked) {
      requireAlive();
      const added = STATES.get(other)?.();
      if (!added) throw new Blip2Error('INVALID_ARGUMENT', 'other must be a fake decoding', { argument: 'other' });
      rows = aligned([...rows, ...(picked ? pick(added, picked) : added)]);
      isJoined = true;
      isCropped = true;
    },
    async crop(to) {
      requireAlive();
      if (to < 0 || to > length())
        throw new Blip2Error('INVALID_ARGUMENT', 'A decoding is cropped to what it holds', {
          expected: `0 to ${length()}`,
          got: String(to),
        });
      isCropped ||= to < length();
      rows = rows.map((row) => ({ ...row, history: row.history.slice(0, to) }));
    },
    async [Symbol.asyncDispose]() {
      isDisposed = true;
    },
  };
  STATES.set(decoding, () => {
    requireAlive();
    return rows;
  });
  return decoding;
}

/** Rows that end together, padded at the start to the longest of them. */
function aligned(rows: State): State {
  const trimmed = rows.map(({ history, ...row }) => ({
    ...row,
    history: history.slice(
      Math.max(
        0,
        history.findIndex((vector) => vector !== undefined),
      ),
    ),
  }));
  const longest = Math.max(...trimmed.map(({ history }) => history.length));
  return trimmed.map(({ history, ...row }) => ({
    ...row,
    history: [...new Array<undefined>(longest - history.length).fill(undefined), ...history],
  }));
}

function computeLogits(rows: State, positions: number, vocabularySize: number): Logits {
  const data = new Float32Array(rows.length * positions * vocabularySize);
  rows.forEach(({ history, score }, row) => {
    for (let position = 0; position < positions; position++) {
      data.set(
        score(history.slice(0, history.length - positions + 1 + position)),
        (row * positions + position) * vocabularySize,
      );
    }
  });
  return { type: 'float32', dims: [rows.length, positions, vocabularySize], data };
}

function addedVectors(more: Extension, embed: (id: number) => Float32Array): Float32Array[][] {
  if ('ids' in more) return more.ids.map((ids) => ids.map(embed));
  const {
    dims: [rows, positions, width],
    data,
  } = more.inputsEmbeds;
  return Array.from({ length: rows }, (_, row) =>
    Array.from({ length: positions }, (_, position) =>
      data.slice((row * positions + position) * width, (row * positions + position + 1) * width),
    ),
  );
}

function checkExtension(parents: readonly number[], added: readonly Float32Array[][], rows: number): void {
  const count = added[0]?.length ?? 0;
  if (
    added.length !== parents.length ||
    count === 0 ||
    added.some((vectors) => vectors.length !== count) ||
    parents.some((parent) => !Number.isInteger(parent) || parent < 0 || parent >= rows)
  ) {
    throw new Blip2Error('SHAPE_MISMATCH', 'The extension does not match the decoding', {
      expected: `${parents.length} rows of equal length that continue rows below ${rows}`,
    });
  }
}

function requireRoom(length: number, maxPositions: number): void {
  if (length > maxPositions)
    throw new Blip2Error('SEQUENCE_TOO_LONG', 'The sequence is too long for the model', {
      expected: `at most ${maxPositions} positions`,
      got: String(length),
    });
}
