import { Blip2Error, type Decoding, type Extension, type Logits } from '@blip2/interfaces';

/** What a fake language model remembers of one row: a vector for each position, or nothing where it is padding. */
export type FakeHistory = readonly (Float32Array | undefined)[];
/** Scores after the last position of a row. */
export type FakeScore = (history: FakeHistory) => ArrayLike<number>;

export interface FakeDecodingOptions {
  readonly vocabularySize: number;
  readonly maxPositions: number;
  readonly embed: (id: number) => Float32Array;
  readonly rows: readonly { readonly history: FakeHistory; readonly score: FakeScore }[];
  /** Begin without scores, as after a crop. */
  readonly isCropped?: boolean;
}

type State = FakeDecodingOptions['rows'];

/** A decoding that keeps whole histories and scores them anew each time: slow, and plainly right. */
export function fakeDecoding(options: FakeDecodingOptions): Decoding {
  let rows: State = options.rows;
  let isDisposed = false;
  let isCropped = options.isCropped ?? false;
  const length = (): number => rows[0]?.history.length ?? 0;
  const requireAlive = (): void => {
    if (isDisposed) throw new Blip2Error('DISPOSED', 'This decoding has been disposed of');
  };
  requireRoom(length(), options.maxPositions);
  const scores = (positions: number): Logits => scoreRows(rows, positions, options.vocabularySize);
  return {
    get length() {
      return length();
    },
    get logits() {
      requireAlive();
      if (isCropped) throw new Blip2Error('INVALID_STATE', 'A decoding that was cropped has no scores');
      return scores(1);
    },
    async extend(more) {
      requireAlive();
      const parents = more.parents ?? rows.map((_, row) => row);
      const added = addedVectors(more, options.embed);
      checkExtension(parents, added, rows.length);
      requireRoom(length() + added[0]!.length, options.maxPositions);
      const counts = (row: number, position: number): boolean => more.attentionMask?.[row]?.[position] !== 0;
      rows = parents.map((parent, row) => ({
        ...rows[parent]!,
        history: [
          ...rows[parent]!.history,
          ...added[row]!.map((vector, position) => (counts(row, position) ? vector : undefined)),
        ],
      }));
      isCropped = false;
      return scores(more.logits === 'all' ? added[0]!.length : 1);
    },
    async fork() {
      requireAlive();
      return fakeDecoding({ ...options, rows, isCropped });
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
}

function scoreRows(rows: State, positions: number, vocabularySize: number): Logits {
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
    throw new Blip2Error('SHAPE_MISMATCH', 'An extension does not fit its decoding', {
      expected: `${parents.length} rows of equal length that continue rows below ${rows}`,
    });
  }
}

function requireRoom(length: number, maxPositions: number): void {
  if (length > maxPositions)
    throw new Blip2Error('SEQUENCE_TOO_LONG', 'The model has no more positions', {
      expected: `at most ${maxPositions}`,
      got: String(length),
    });
}
