import { type Check } from '../check.ts';
import { expectClose, expectRejection, expectWholeOrDisposed } from '../expectations.ts';
import { check, type LanguageModelSubject, promptOf } from './check-context.ts';

/** Checks of disposal, of models and decodings. */
export function disposeChecks(subject: LanguageModelSubject): Check[] {
  return [
    check(subject, 'can be disposed of twice, as can decodings', async ({ model, start }) => {
      const decoding = await start([5, 6]);
      await decoding[Symbol.asyncDispose]();
      await decoding[Symbol.asyncDispose]();
      await model[Symbol.asyncDispose]();
      await model[Symbol.asyncDispose]();
    }),
    check(subject, 'stays usable if a decoding is disposed of during an extension', async ({ start, tolerance }) => {
      const { data } = await (await start([5, 6])).extend({ ids: [[7]] });
      const decoding = await start([5, 6]);
      const running = decoding.extend({ ids: [[7]] });
      await Promise.all([
        decoding[Symbol.asyncDispose](),
        expectWholeOrDisposed(running, data, tolerance, 'extend during disposal'),
      ]);
      expectClose(
        (await (await start([5, 6])).extend({ ids: [[7]] })).data,
        data,
        tolerance,
        'another decoding afterwards',
      );
    }),
    check(subject, 'rejects calls of a decoding after disposal', async ({ start }) => {
      const decoding = await start([5, 6]);
      await decoding[Symbol.asyncDispose]();
      await expectRejection(() => decoding.extend({ ids: [[7]] }), 'extend after disposal', 'DISPOSED');
      await expectRejection(() => decoding.fork(), 'fork after disposal', 'DISPOSED');
    }),
    check(subject, 'rejects calls after disposal', async ({ model }) => {
      const prompt = await promptOf(model, [[5, 6]]);
      await model[Symbol.asyncDispose]();
      await expectRejection(() => model.start(prompt), 'start after disposal', 'DISPOSED');
      await expectRejection(() => model.embed([[5]]), 'embed after disposal', 'DISPOSED');
    }),
  ];
}
