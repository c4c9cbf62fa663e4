import type { AttentionMask, Decoding, LanguageModel, Logits, Prompt, TokenIds } from '@blip2/interfaces';

import { type Check, EXACT, FLOAT32_TOLERANCE, type Tolerance } from './check.ts';
import {
  expectClose,
  expectDifferent,
  expectEqual,
  expectRejection,
  expectTensor,
  expectWholeOrDisposed,
  rowOf,
} from './expectations.ts';

export interface LanguageModelSubject {
  /** A new model for each check, which disposes of it. */
  create(): LanguageModel | Promise<LanguageModel>;
  readonly tolerance?: Tolerance;
}

/** What a check works with. */
interface Bench {
  readonly model: LanguageModel;
  readonly tolerance: Tolerance;
  /**
   * Starts a decoding that the check disposes of. Shorter rows are padded: on the left for causal models, on the right
   * for seq2seq ones.
   */
  start(...rows: readonly TokenIds[]): Promise<Decoding>;
  /** Disposes of a decoding at the end of the check. */
  own(decoding: Decoding): Decoding;
}

/** Longest prompt that the check of `maxPositions` builds, in numbers: 256 MiB of float32. */
const LARGEST_PROMPT = 2 ** 26;

/**
 * Checks of the `LanguageModel` and `Decoding` seams, over the ids 5 to 9: `for (const check of
 * languageModelConformance({ create })) test(check.name, check.run)`.
 */
export function languageModelConformance(subject: LanguageModelSubject): Check[] {
  return [...startChecks(subject), ...extendChecks(subject), ...branchChecks(subject), ...disposeChecks(subject)];
}

function startChecks(subject: LanguageModelSubject): Check[] {
  return [
    check(subject, 'gives what its declared widths promise', async ({ model, start }) => {
      expectTensor(
        await model.embed([
          [5, 6, 7],
          [8, 9, 5],
        ]),
        [2, 3, model.embeddingSize],
        'embeddings',
      );
      const decoding = await start([5, 6, 7], [8, 9, 5]);
      expectTensor(decoding.logits, [2, 1, model.vocabularySize], 'scores of the prompt');
      expectEqual(decoding.length, model.architecture === 'causal' ? 3 : 1, 'length after the prompt');
    }),
    check(subject, 'gives the same scores for the same prompt', async ({ start }) => {
      expectClose((await start([5, 6, 7])).logits.data, (await start([5, 6, 7])).logits.data, EXACT, 'second start');
    }),
    check(subject, 'tells prompts apart', async ({ start }) => {
      expectDifferent((await start([5, 6, 7])).logits.data, (await start([6, 5, 7])).logits.data, 'two prompts');
    }),
    check(subject, 'gives a padded row of a batch the scores it has alone', async ({ start, tolerance }) => {
      const rows = [[5, 6, 7, 8, 9], [8], [6, 6, 9]];
      const batch = await start(...rows);
      const first = batch.logits;
      const second = await batch.extend({ ids: [[5], [6], [7]] });
      for (const [index, row] of rows.entries()) {
        const alone = await start(row);
        expectClose(rowOf(first, index), alone.logits.data, tolerance, `row ${index} after the prompt`);
        expectClose(
          rowOf(second, index),
          (await alone.extend({ ids: [[5 + index]] })).data,
          tolerance,
          `row ${index} after one more token`,
        );
      }
    }),
    check(subject, 'refuses more positions than it has', async ({ model }) => {
      const positions = model.maxPositions + 1;
      if (positions * model.embeddingSize > LARGEST_PROMPT) return;
      const long =
        model.architecture === 'causal'
          ? {
              inputsEmbeds: {
                type: 'float32',
                dims: [1, positions, model.embeddingSize],
                data: new Float32Array(positions * model.embeddingSize),
              } as const,
              attentionMask: [filled(positions, 1)],
            }
          : { ...(await promptOf(model, [[5]])), decoderInputIds: [filled(positions, 5)] };
      await expectRejection(() => model.start(long), 'a prompt that is too long', 'SEQUENCE_TOO_LONG');
    }),
    check(subject, 'begins a decoder where it is told to', async ({ model, own, start, tolerance }) => {
      if (model.architecture === 'causal') return;
      const prompt = await promptOf(model, [[5, 6, 7]]);
      const startToken = model.specialTokens.decoderStartTokenId ?? model.specialTokens.bosTokenId ?? 0;
      const told = own(await model.start({ ...prompt, decoderInputIds: [[startToken, 8, 9]] }));
      const extended = await (await start([5, 6, 7])).extend({ ids: [[8, 9]] });
      expectEqual(told.length, 3, 'length of a decoder of three ids');
      expectClose(told.logits.data, extended.data, tolerance, 'scores after decoderInputIds');
    }),
  ];
}

function extendChecks(subject: LanguageModelSubject): Check[] {
  return [
    check(
      subject,
      'reads several tokens at once as it reads them one at a time',
      async ({ model, start, tolerance }) => {
        const [together, single] = [await start([5, 6], [7]), await start([5, 6], [7])];
        const all = await together.extend({
          ids: [
            [7, 8, 9],
            [9, 5, 8],
          ],
          logits: 'all',
        });
        expectTensor(all, [2, 3, model.vocabularySize], 'scores of every position');
        for (const position of [0, 1, 2]) {
          const one = await single.extend({ ids: [[[7, 8, 9][position]!], [[9, 5, 8][position]!]] });
          expectTensor(one, [2, 1, model.vocabularySize], 'scores of one position');
          for (const row of [0, 1])
            expectClose(positionOf(all, row, position), rowOf(one, row), tolerance, `row ${row}, position ${position}`);
        }
        expectEqual(together.length, single.length, 'length after three tokens');
      },
    ),
    check(subject, 'keeps the scores after the last position', async ({ start }) => {
      const decoding = await start([5, 6]);
      const all = await decoding.extend({ ids: [[7, 8]], logits: 'all' });
      expectClose(decoding.logits.data, positionOf(all, 0, 1), EXACT, 'logits after an extension by several');
      const last = await decoding.extend({ ids: [[9]] });
      expectClose(decoding.logits.data, last.data, EXACT, 'logits after an extension by one');
    }),
    check(subject, 'reads embeddings as it reads their ids', async ({ model, start, tolerance }) => {
      if (model.architecture === 'seq2seq') return;
      const byIds = await (await start([5, 6])).extend({ ids: [[7, 8]], logits: 'all' });
      const byEmbeddings = await (
        await start([5, 6])
      ).extend({ inputsEmbeds: await model.embed([[7, 8]]), logits: 'all' });
      expectClose(byEmbeddings.data, byIds.data, tolerance, 'scores after embeddings');
    }),
    check(subject, 'reads a prompt in two parts as in one', async ({ model, start, tolerance }) => {
      if (model.architecture === 'seq2seq') return;
      const parts = await (await start([5, 6])).extend({ ids: [[7, 8, 9]] });
      expectClose(parts.data, (await start([5, 6, 7, 8, 9])).logits.data, tolerance, 'scores after the second part');
    }),
    check(subject, 'leaves out the padding of an extension', async ({ model, start, tolerance }) => {
      if (model.architecture === 'seq2seq') return;
      const decoding = await start([5, 6], [7, 8]);
      const texts = [[9], [6, 5, 8], [7, 7]];
      const parents = [1, 0, 1];
      const first = await decoding.extend({
        ids: [
          [0, 0, 9],
          [6, 5, 8],
          [0, 7, 7],
        ],
        attentionMask: [
          [0, 0, 1],
          [1, 1, 1],
          [0, 1, 1],
        ],
        parents,
      });
      const second = await decoding.extend({ ids: [[5], [6], [7]] });
      for (const [row, text] of texts.entries()) {
        const alone = await start(
          [
            [5, 6],
            [7, 8],
          ][parents[row]!]!,
        );
        expectClose(
          rowOf(first, row),
          (await alone.extend({ ids: [text] })).data,
          tolerance,
          `row ${row} after padding`,
        );
        expectClose(
          rowOf(second, row),
          (await alone.extend({ ids: [[5 + row]] })).data,
          tolerance,
          `row ${row} after one more token`,
        );
      }
    }),
    check(subject, 'moves, repeats and drops rows by their parents', async ({ model, start, tolerance }) => {
      const prompts = [[5, 6], [7], [8, 9]];
      const decoding = await start(...prompts);
      const parents = [2, 0, 0, 2];
      const moved = await decoding.extend({ ids: [[5], [6], [7], [8]], parents });
      expectTensor(moved, [4, 1, model.vocabularySize], 'scores after moving rows');
      const dropped = await decoding.extend({ ids: [[9]], parents: [3] });
      for (const [row, parent] of parents.entries()) {
        const alone = await start(prompts[parent]!);
        expectClose(
          rowOf(moved, row),
          (await alone.extend({ ids: [[5 + row]] })).data,
          tolerance,
          `row ${row}, which continues row ${parent}`,
        );
        if (row === 3)
          expectClose(dropped.data, (await alone.extend({ ids: [[9]] })).data, tolerance, 'the only row that is left');
      }
    }),
  ];
}

function branchChecks(subject: LanguageModelSubject): Check[] {
  return [
    check(subject, 'forks into two decodings that do not disturb each other', async ({ start, own, tolerance }) => {
      const [decoding, expected] = [await start([5, 6], [7]), await start([5, 6], [7])];
      const fork = own(await decoding.fork());
      expectEqual(fork.length, decoding.length, 'length of a fork');
      expectClose(fork.logits.data, decoding.logits.data, EXACT, 'scores of a fork');
      await fork.extend({
        ids: [
          [9, 9],
          [9, 9],
        ],
        parents: [1, 0],
      });
      const own1 = await decoding.extend({ ids: [[7], [8]] });
      expectClose(
        own1.data,
        (await expected.extend({ ids: [[7], [8]] })).data,
        tolerance,
        'the original after its fork went on',
      );
      const again = own(await decoding.fork());
      await decoding.extend({ ids: [[5], [5]] });
      expectClose(
        (await again.extend({ ids: [[6], [9]] })).data,
        (await expected.extend({ ids: [[6], [9]] })).data,
        tolerance,
        'a fork after its original went on',
      );
    }),
    check(subject, 'outlives its forks, and they it', async ({ start, own, tolerance }) => {
      const [decoding, expected] = [await start([5, 6]), await start([5, 6])];
      const [first, second] = [own(await decoding.fork()), own(await decoding.fork())];
      await first[Symbol.asyncDispose]();
      expectClose(
        (await decoding.extend({ ids: [[7]] })).data,
        (await expected.extend({ ids: [[7]] })).data,
        tolerance,
        'the original after its fork was disposed of',
      );
      await decoding[Symbol.asyncDispose]();
      expectClose(
        (await second.extend({ ids: [[7]] })).data,
        expected.logits.data,
        tolerance,
        'a fork after its original was disposed of',
      );
    }),
    check(subject, 'forgets what is cropped', async ({ start, tolerance }) => {
      const [decoding, expected] = [await start([5, 6], [7]), await start([5, 6], [7])];
      await decoding.extend({ ids: [[7], [8]] });
      const { length } = decoding;
      await decoding.extend({
        ids: [
          [9, 5],
          [5, 9],
        ],
      });
      await decoding.crop(length);
      expectEqual(decoding.length, length, 'length after a crop');
      await expected.extend({ ids: [[7], [8]] });
      expectClose(
        (await decoding.extend({ ids: [[6], [6]] })).data,
        (await expected.extend({ ids: [[6], [6]] })).data,
        tolerance,
        'scores after a crop and one more token',
      );
    }),
    check(subject, 'has no scores of what is cropped', async ({ start, own }) => {
      const decoding = await start([5, 6], [7]);
      const { length } = decoding;
      const { data } = await decoding.extend({ ids: [[7], [8]] });
      await decoding.crop(length + 1);
      expectClose(decoding.logits.data, data, EXACT, 'scores after a crop that forgets nothing');
      await decoding.crop(length);
      const fork = own(await decoding.fork());
      await expectRejection(async () => decoding.logits, 'scores after a crop', 'INVALID_STATE');
      await expectRejection(async () => fork.logits, 'scores of a fork after a crop', 'INVALID_STATE');
      const again = await decoding.extend({ ids: [[9], [9]] });
      expectClose(decoding.logits.data, again.data, EXACT, 'scores after a crop and one more token');
    }),
  ];
}

function disposeChecks(subject: LanguageModelSubject): Check[] {
  return [
    check(subject, 'can be disposed of twice, decodings too', async ({ model, start }) => {
      const decoding = await start([5, 6]);
      await decoding[Symbol.asyncDispose]();
      await decoding[Symbol.asyncDispose]();
      await model[Symbol.asyncDispose]();
      await model[Symbol.asyncDispose]();
    }),
    check(subject, 'goes on after a decoding was given up in the middle of its work', async ({ start, tolerance }) => {
      const { data } = await (await start([5, 6])).extend({ ids: [[7]] });
      const decoding = await start([5, 6]);
      const running = decoding.extend({ ids: [[7]] });
      await Promise.all([
        decoding[Symbol.asyncDispose](),
        expectWholeOrDisposed(running, data, tolerance, 'extend during dispose'),
      ]);
      expectClose(
        (await (await start([5, 6])).extend({ ids: [[7]] })).data,
        data,
        tolerance,
        'another decoding afterwards',
      );
    }),
    check(subject, 'refuses work on a decoding that was disposed of', async ({ start }) => {
      const decoding = await start([5, 6]);
      await decoding[Symbol.asyncDispose]();
      await expectRejection(() => decoding.extend({ ids: [[7]] }), 'extend after dispose', 'DISPOSED');
      await expectRejection(() => decoding.fork(), 'fork after dispose', 'DISPOSED');
    }),
    check(subject, 'refuses work after it was disposed of', async ({ model }) => {
      const prompt = await promptOf(model, [[5, 6]]);
      await model[Symbol.asyncDispose]();
      await expectRejection(() => model.start(prompt), 'start after dispose', 'DISPOSED');
      await expectRejection(() => model.embed([[5]]), 'embed after dispose', 'DISPOSED');
    }),
  ];
}

function check(
  { create, tolerance = FLOAT32_TOLERANCE }: LanguageModelSubject,
  name: string,
  body: (bench: Bench) => Promise<void>,
): Check {
  return {
    name,
    async run() {
      const model = await create();
      const owned: Decoding[] = [];
      const own = (decoding: Decoding): Decoding => {
        owned.push(decoding);
        return decoding;
      };
      try {
        await body({
          model,
          tolerance,
          own,
          start: async (...rows) => own(await model.start(await promptOf(model, rows))),
        });
      } finally {
        for (const decoding of owned.reverse()) await decoding[Symbol.asyncDispose]();
        await model[Symbol.asyncDispose]();
      }
    },
  };
}

async function promptOf(model: LanguageModel, rows: readonly TokenIds[]): Promise<Prompt> {
  const width = Math.max(...rows.map((row) => row.length));
  const filler = model.specialTokens.padTokenId ?? 0;
  const pad = (row: TokenIds, value: number): number[] => {
    const padding = filled(width - row.length, value);
    return model.architecture === 'causal' ? [...padding, ...row] : [...row, ...padding];
  };
  const attentionMask: AttentionMask = rows.map((row) =>
    pad(
      row.map(() => 1),
      0,
    ),
  );
  return { inputsEmbeds: await model.embed(rows.map((row) => pad(row, filler))), attentionMask };
}

function filled(length: number, value: number): number[] {
  return new Array<number>(length).fill(value);
}

function positionOf({ dims: [, positions, vocabulary], data }: Logits, row: number, position: number): Float32Array {
  const start = (row * positions + position) * vocabulary;
  return data.subarray(start, start + vocabulary);
}
