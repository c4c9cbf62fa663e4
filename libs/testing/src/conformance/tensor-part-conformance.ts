import type { Tensor } from '@blip2/interfaces';

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

/** A part that turns one tensor into another, entry by entry of the batch. */
export interface TensorPart<Part extends AsyncDisposable, Input extends Tensor<'float32'>> {
  /** A new part, which the check disposes of. */
  create(): Part | Promise<Part>;
  call(part: Part, input: Input): Promise<Tensor<'float32'>>;
  /** An input with one entry for each seed. */
  input(part: Part, seeds: readonly number[]): Input;
  /** An input that does not fit the part. */
  wrongInput(part: Part): Input;
  /** Dimensions of the output, without the batch; -1 where any length will do. */
  outputDims(part: Part): readonly number[];
  readonly tolerance?: Tolerance;
}

/** What vision encoders, Q-Formers and projections have in common. */
export function tensorPartConformance<Part extends AsyncDisposable, Input extends Tensor<'float32'>>(
  subject: TensorPart<Part, Input>,
): Check[] {
  const tolerance = subject.tolerance ?? FLOAT32_TOLERANCE;
  const check = (
    name: string,
    body: (part: Part, run: (...seeds: number[]) => Promise<Tensor<'float32'>>) => Promise<void>,
  ): Check => ({
    name,
    async run() {
      const part = await subject.create();
      try {
        await body(part, (...seeds) => subject.call(part, subject.input(part, seeds)));
      } finally {
        await part[Symbol.asyncDispose]();
      }
    },
  });
  return [
    check('gives what its declared widths promise', async (part, run) => {
      const output = await run(1, 2);
      expectTensor(
        output,
        [2, ...subject.outputDims(part).map((dim, axis) => (dim < 0 ? (output.dims[axis + 1] ?? 0) : dim))],
        'output',
      );
    }),
    check('gives the same result for the same input', async (_, run) =>
      expectClose((await run(1, 2)).data, (await run(1, 2)).data, EXACT, 'second run'),
    ),
    check('gives each entry of a batch the result it has alone', async (_, run) => {
      const batch = await run(1, 2, 3);
      for (const row of [0, 1, 2])
        expectClose(rowOf(batch, row), (await run(row + 1)).data, tolerance, `entry ${row} of a batch`);
    }),
    check('tells inputs apart', async (_, run) =>
      expectDifferent((await run(1)).data, (await run(2)).data, 'two inputs'),
    ),
    check('leaves its input as it was', async (part) => {
      const input = subject.input(part, [1, 2]);
      await subject.call(part, input);
      expectEqual([...input.data], [...subject.input(part, [1, 2]).data], 'input after a run');
    }),
    check('leaves earlier results as they were', async (_, run) => {
      const earlier = await run(1);
      const before = earlier.data.slice();
      await run(2);
      expectClose(earlier.data, before, EXACT, 'earlier result');
    }),
    check('keeps calls at the same time apart', async (_, run) => {
      const [first, second] = await Promise.all([run(1), run(2)]);
      expectClose(first.data, (await run(1)).data, tolerance, 'first of two calls');
      expectClose(second.data, (await run(2)).data, tolerance, 'second of two calls');
    }),
    check('refuses an input that does not fit', (part) =>
      expectRejection(() => subject.call(part, subject.wrongInput(part)), 'input of another width'),
    ),
    check('can be disposed of twice', async (part) => part[Symbol.asyncDispose]()),
    check('finishes or refuses what is under way when it is disposed of', async (part, run) => {
      const { data } = await run(1);
      const running = run(1);
      await Promise.all([
        part[Symbol.asyncDispose](),
        expectWholeOrDisposed(running, data, tolerance, 'call during dispose'),
      ]);
    }),
    check('refuses work after it was disposed of', async (part, run) => {
      await part[Symbol.asyncDispose]();
      await expectRejection(() => run(1), 'call after dispose', 'DISPOSED');
    }),
  ];
}
