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

/** A part under test that maps one tensor to another, independently for each entry of the batch. */
export interface TensorPart<Part extends AsyncDisposable, Input extends Tensor<'float32'>> {
  /** Creates a new part for each check, which disposes of it. */
  create(): Part | Promise<Part>;
  /** Calls the method under test. */
  call(part: Part, input: Input): Promise<Tensor<'float32'>>;
  /** Creates an input with one entry per seed. */
  input(part: Part, seeds: readonly number[]): Input;
  /** Creates an input of the wrong width. */
  wrongInput(part: Part): Input;
  /** Expected dimensions of the output, without the batch; -1 accepts any length. */
  outputDims(part: Part): readonly number[];
  readonly tolerance?: Tolerance;
}

/** Conformance suite shared by vision encoders, Q-Formers and projections. */
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
    check('returns tensors of the declared widths', async (part, run) => {
      const output = await run(1, 2);
      expectTensor(
        output,
        [2, ...subject.outputDims(part).map((dim, axis) => (dim < 0 ? (output.dims[axis + 1] ?? 0) : dim))],
        'output',
      );
    }),
    check('returns equal results for equal inputs', async (_, run) =>
      expectClose((await run(1, 2)).data, (await run(1, 2)).data, EXACT, 'second run'),
    ),
    check('returns equal results for an entry alone and in a batch', async (_, run) => {
      const batch = await run(1, 2, 3);
      for (const row of [0, 1, 2])
        expectClose(rowOf(batch, row), (await run(row + 1)).data, tolerance, `entry ${row} of a batch`);
    }),
    check('returns different results for different inputs', async (_, run) =>
      expectDifferent((await run(1)).data, (await run(2)).data, 'two inputs'),
    ),
    check('does not modify its input', async (part) => {
      const input = subject.input(part, [1, 2]);
      await subject.call(part, input);
      expectEqual([...input.data], [...subject.input(part, [1, 2]).data], 'input after a run');
    }),
    check('does not modify earlier results', async (_, run) => {
      const earlier = await run(1);
      const before = earlier.data.slice();
      await run(2);
      expectClose(earlier.data, before, EXACT, 'earlier result');
    }),
    check('keeps concurrent calls independent', async (_, run) => {
      const [first, second] = await Promise.all([run(1), run(2)]);
      expectClose(first.data, (await run(1)).data, tolerance, 'first of two calls');
      expectClose(second.data, (await run(2)).data, tolerance, 'second of two calls');
    }),
    check('rejects inputs of the wrong width', (part) =>
      expectRejection(() => subject.call(part, subject.wrongInput(part)), 'input of another width'),
    ),
    check('can be disposed of twice', async (part) => part[Symbol.asyncDispose]()),
    check('completes or rejects running calls on disposal', async (part, run) => {
      const { data } = await run(1);
      const running = run(1);
      await Promise.all([
        part[Symbol.asyncDispose](),
        expectWholeOrDisposed(running, data, tolerance, 'call during disposal'),
      ]);
    }),
    check('rejects calls after disposal', async (part, run) => {
      await part[Symbol.asyncDispose]();
      await expectRejection(() => run(1), 'call after disposal', 'DISPOSED');
    }),
  ];
}
